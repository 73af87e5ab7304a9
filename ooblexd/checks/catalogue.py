"""Every check that ``ooblexd doctor`` runs, in the order in which it tells them."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.checks import Finding, fail, ok
from ooblexd.checks.parallel import Task
from ooblexd.ice import settings_of

if TYPE_CHECKING:
    from ooblexd.checks import Subject

_CODEC_WITHIN_S = 15.0  # PyAV loads slowly from an SD card
_CAMERA_WITHIN_S = 14.0
_CRASHED = "pip install --force-reinstall av; or report this with the model of the box"
_DEV = Path("/dev")


class Group(NamedTuple):
    """Checks that belong together.

    Attributes:
        title: For people.
        tasks: What to run.
    """

    title: str
    tasks: tuple[Task, ...]


def groups_of(subject: Subject) -> list[Group]:
    """Return all checks for ``subject``."""
    groups = [_box(subject), _memory(subject), _daemon(subject), _codecs()]
    groups += [_analysis(subject), _webrtc(subject), _cameras(subject)]
    return [group for group in groups if group.tasks]


# Each imports what it needs in its own process, after the fork.


def _box(subject: Subject) -> Group:
    root = subject.root

    def system() -> list[Finding]:
        from ooblexd.checks.system import check_system  # noqa: PLC0415 # see above

        return check_system(root)

    def cpu() -> list[Finding]:
        from ooblexd.checks.cpu import check_cpu, check_speed  # noqa: PLC0415 # see above

        return [*check_cpu(root), *check_speed(root)]

    def clock() -> list[Finding]:
        from ooblexd.checks import wall_clock  # noqa: PLC0415 # see above

        discipline = wall_clock.read_discipline()
        return [wall_clock.check_clock(time.time(), discipline)]

    def gpu() -> list[Finding]:
        from ooblexd.checks.gpu import check_gpu  # noqa: PLC0415 # see above

        return check_gpu(root)

    tasks = (Task("system", system), Task("cpu", cpu), Task("clock", clock))
    return Group("Box", (*tasks, Task("gpu", gpu)))


def _memory(subject: Subject) -> Group:
    def memory() -> list[Finding]:
        from ooblexd.checks.memory import check_memory  # noqa: PLC0415 # see above
        from ooblexd.checks.needs import memory_bytes  # noqa: PLC0415 # see above

        needed = memory_bytes(subject.plan) if subject.plan else 0
        is_running = subject.running is not None
        return check_memory(subject.root, needed, is_running=is_running)

    def shared() -> list[Finding]:
        from ooblexd.checks.needs import shared_memory_bytes  # noqa: PLC0415 # see above
        from ooblexd.checks.shared_memory import (  # noqa: PLC0415 # see above
            check_room,
            try_segment,
        )

        if subject.plan is None or subject.running is not None:
            return try_segment() or [check_room(0, 0)]
        needed = shared_memory_bytes(subject.plan)
        advised = shared_memory_bytes(subject.plan, (1920, 1080))
        return try_segment() or [check_room(needed, advised)]

    def to_disk() -> list[Finding]:
        from ooblexd.checks.memory import (  # noqa: PLC0415 # see above
            check_core_dumps,
            check_swap,
        )

        return [
            *check_swap(subject.root, _pid(subject)),
            *check_core_dumps(subject.root),
        ]

    def atomics() -> list[Finding]:
        from ooblexd.checks.atomic_operations import check_atomics  # noqa: PLC0415 # s.a.

        return check_atomics()

    tasks = (Task("memory", memory), Task("shm", shared), Task("swap", to_disk))
    return Group("Memory", (*tasks, Task("atomics", atomics)))


def _pid(subject: Subject) -> str:
    workers = subject.running.workers if subject.running else ()
    return str(workers[0].pid) if workers else "self"


def _daemon(subject: Subject) -> Group:
    plan, running = subject.plan, subject.running

    def configuration() -> list[Finding]:
        return _configuration(subject)

    def service() -> list[Finding]:
        from ooblexd.checks.daemon import check_daemon, check_port  # noqa: PLC0415 # s.a.

        told = check_daemon(running, subject.no_daemon)
        if plan is None:
            return told
        is_there = subject.no_daemon is not None and subject.no_daemon.is_there
        return [*told, *check_port(plan, running, is_there=is_there)]

    def permissions() -> list[Finding]:
        from ooblexd.checks import permissions as may  # noqa: PLC0415 # see above

        return [
            *may.check_config_file(subject.config_path, plan),
            *may.check_state_folder(subject.state_folder),
            *may.check_devices(plan, _DEV),
        ]

    def limits() -> list[Finding]:
        from ooblexd.checks import needs  # noqa: PLC0415 # see above
        from ooblexd.checks.daemon import check_limits  # noqa: PLC0415 # see above
        from ooblexd.checks.memory import check_swap  # noqa: PLC0415 # see above

        if plan is None:
            return []
        swaps = any(one.remedy for one in check_swap(subject.root, _pid(subject)))
        needed = needs.descriptors(plan), needs.shared_memory_bytes(plan)
        return check_limits(*needed, swaps=swaps)

    def disk() -> list[Finding]:
        from ooblexd.checks.disk import check_disk  # noqa: PLC0415 # see above

        return [check_disk(subject.config_path)]

    tasks = [Task("configuration", configuration), Task("daemon", service)]
    tasks += [Task("permissions", permissions), Task("limits", limits)]
    return Group("Daemon", (*tasks, Task("disk", disk)))


def _configuration(subject: Subject) -> list[Finding]:
    name = "configuration"
    if subject.problems:
        remedy = "correct the file; `ooblexd check-config` says when it is good"
        return [fail(name, problem, remedy) for problem in subject.problems]
    assert subject.plan is not None
    streams = len(subject.plan.streams)
    counted = f"{streams} stream{'' if streams == 1 else 's'}"
    if subject.is_demo:
        return [
            ok(name, f"no file yet: the demo runs; {subject.config_path} would be it")
        ]
    return [ok(name, f"{subject.config_path}: fine, {counted}")]


def _codecs() -> Group:
    # Known here too, as this process must not load PyAV; a test compares.
    names = [f"{codec} decode" for codec in ("h264", "hevc", "mjpeg")]
    names += ["libx264 encode", "h264_v4l2m2m encode", "h264_nvenc encode"]
    tasks = [Task(n, partial(_codec, n), _CODEC_WITHIN_S, _CRASHED) for n in names]
    return Group("Codecs", (*tasks, Task("JPEG encode", _jpeg, _CODEC_WITHIN_S)))


def _jpeg() -> list[Finding]:
    from ooblexd.checks.jpeg import check_jpeg  # noqa: PLC0415 # heavy

    return check_jpeg()


def _codec(name: str) -> list[Finding]:
    from ooblexd.checks import codecs  # noqa: PLC0415 # heavy, and after the fork

    codec, _, way = name.partition(" ")
    if way == "decode":
        return codecs.check_decoder(codec)
    if codec in codecs.SOFTWARE_ENCODERS:
        return codecs.check_software_encoder(codec)
    return codecs.check_hardware_encoder(codec)


def _analysis(subject: Subject) -> Group:
    del subject

    def onnx() -> list[Finding]:
        from ooblexd.checks.engines import check_onnx  # noqa: PLC0415 # see above

        return check_onnx()

    def tensorrt() -> list[Finding]:
        from ooblexd.checks.engines import check_tensorrt  # noqa: PLC0415 # see above

        return check_tensorrt()

    def models() -> list[Finding]:
        from ooblexd.checks.models import check_models  # noqa: PLC0415 # see above

        return check_models()

    crash = "pip install -U onnxruntime: another version may suit this processor"
    engine = Task("onnx-cpu", onnx, 20.0, crash)
    return Group(
        "Analysis", (engine, Task("tensorrt", tensorrt), Task("models", models))
    )


def _webrtc(subject: Subject) -> Group:
    if subject.plan is None:
        return Group("WebRTC", ())
    settings = settings_of(subject.plan.webrtc, time.time())

    def reach() -> list[Finding]:
        from ooblexd.checks.ice import ask_servers, own_addresses  # noqa: PLC0415 # s.a.
        from ooblexd.checks.reach import judge_reach  # noqa: PLC0415 # see above

        return judge_reach(own_addresses(), ask_servers(settings), settings)

    return Group("WebRTC", (Task("reach", reach),))


def _cameras(subject: Subject) -> Group:
    if subject.plan is None:
        return Group("Cameras", ())
    known = (
        {one.name: one for one in subject.running.streams} if subject.running else {}
    )

    def look(name: str) -> list[Finding]:
        from ooblexd.checks.cameras import check_camera  # noqa: PLC0415 # see above

        assert subject.plan is not None
        (stream,) = [one for one in subject.plan.streams if one.name == name]
        return check_camera(stream, known.get(name), subject.config_path)

    tasks = [
        Task(
            f"camera {stream.name}",
            partial(look, stream.name),
            _CAMERA_WITHIN_S,
            f"is it on, and streams.{stream.name}.source right?",
        )
        for stream in subject.plan.streams
        if stream.enabled
    ]
    return Group("Cameras", tuple(tasks))
