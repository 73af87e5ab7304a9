"""What is tried: codecs, engines, models, atomics, clock, cameras."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ooblexd.checks import Finding, Level, Subject, codecs
from ooblexd.checks.atomic_operations import check_atomics
from ooblexd.checks.cameras import check_camera
from ooblexd.checks.catalogue import groups_of
from ooblexd.checks.disk import check_disk
from ooblexd.checks.engines import check_onnx, check_tensorrt
from ooblexd.checks.jpeg import check_jpeg
from ooblexd.checks.models import check_models
from ooblexd.checks.wall_clock import Discipline, check_clock, read_discipline
from ooblexd.plan import DaemonPlan, StreamPlan
from ooblexd.status import StreamStatus

NOWHERE = Path("/nowhere.toml")
NOW = 1_800_000_000.0


@pytest.mark.parametrize("codec", codecs.DECODERS)
def test_each_codec_of_a_camera_is_decoded(codec: str) -> None:
    (found,) = codecs.check_decoder(codec)

    assert (found.level, found.text) == (Level.OK, "works, in software")


@pytest.mark.parametrize("codec", codecs.DECODERS)
def test_a_decoder_that_gives_nothing_is_told(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = b"\0\0\0\1 no picture".hex()
    monkeypatch.setitem(codecs._SAMPLES, codec, damaged)

    (found,) = codecs.check_decoder(codec)

    assert found.level is Level.FAIL
    assert found.remedy


def test_encoders_are_tried_and_what_a_box_lacks_is_no_fault() -> None:
    assert codecs.check_software_encoder("libx264")[0].text.startswith("works: 640x360")
    assert codecs.check_software_encoder("no_such")[0].level is Level.WARN
    (found,) = codecs.check_hardware_encoder("no_such")
    assert found.text == "not on this box (this build of PyAV lacks it)"
    assert check_jpeg()[0].level is Level.OK


def test_the_catalogue_knows_every_codec() -> None:
    (group,) = [one for one in groups_of(Subject(NOWHERE)) if one.title == "Codecs"]

    names = {task.name for task in group.tasks} - {"JPEG encode"}

    encoders = (*codecs.SOFTWARE_ENCODERS, *codecs.HARDWARE_ENCODERS)
    assert names == {f"{codec} decode" for codec in codecs.DECODERS} | {
        f"{codec} encode" for codec in encoders
    }


def test_an_engine_is_judged_by_a_run() -> None:
    (found,) = check_onnx()

    assert found.level is Level.OK
    assert " runs blazeface_short_range_128 in " in found.text
    assert check_tensorrt()[0].level is Level.OK


def test_the_models_are_those_of_the_manifest() -> None:
    (found,) = check_models()

    assert found.level is Level.OK
    assert "blazeface_back_256" in found.text


def test_the_atomics_are_named() -> None:
    (found,) = check_atomics()

    assert found.text in ("C extension", "libatomic by ctypes")


@pytest.mark.parametrize(
    ("now", "discipline", "level", "text"),
    [
        (NOW, Discipline(True, 10), Level.OK, "synchronised"),
        (NOW, Discipline(False, 10), Level.WARN, "not synchronised"),
        (NOW, None, Level.OK, "not known"),
        (0.0, Discipline(True, 10), Level.WARN, "the year 1970"),
    ],
)
def test_a_clock_is_set_and_kept_right(
    now: float, discipline: Discipline | None, level: Level, text: str
) -> None:
    found = check_clock(now, discipline)

    assert found.level is level
    assert text in found.text


def test_the_kernel_says_whether_its_clock_is_kept_right() -> None:
    assert isinstance(read_discipline(), Discipline)


def test_the_disk_beside_a_configuration_that_is_not_there_yet_counts(
    tmp_path: Path,
) -> None:
    assert f"free in {tmp_path}" in check_disk(tmp_path / "a/ooblexd.toml").text


def looked(source: str, running: StreamStatus | None = None) -> Finding:
    (found,) = check_camera(StreamPlan("door", source), running, NOWHERE)
    return found


def test_a_camera_that_delivers_is_described() -> None:
    assert looked("demo:").text == "h264 1280x720 at 30 fps, by local"


def test_a_camera_that_refuses_is_told_without_its_password() -> None:
    found = looked("rtsp://admin:geheim@127.0.0.1:1/stream")

    assert found.level is Level.FAIL
    assert "connection refused" in found.text
    assert "geheim" not in f"{found}"
    assert "streams.door.source" in found.remedy


def test_a_camera_that_the_daemon_reads_is_left_to_it() -> None:
    running = StreamStatus("door", "running", width=640, height=360, fps_in=25.0)

    found = looked("rtsp://127.0.0.1:1/", running)

    assert found.text == "the daemon reads it: 640x360 at 25 fps"


def test_root_runs_no_command_that_somebody_else_may_have_written(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root is that careful")
    proof, file = tmp_path / "ran", tmp_path / "ooblexd.toml"
    file.touch()
    os.chown(file, 65534, 65534)

    (found,) = check_camera(StreamPlan("door", f"exec:touch {proof}"), None, file)

    assert found.level is Level.WARN
    assert "not tried as root" in found.text
    assert found.remedy.startswith("sudo -u ")
    assert not proof.exists()


def test_what_waits_for_a_publisher_is_no_fault() -> None:
    assert looked("whip:").level is Level.OK


def test_a_stream_that_is_switched_off_is_not_looked_at() -> None:
    off = StreamPlan("off", "demo:", enabled=False)
    plan = DaemonPlan("127.0.0.1", 8800, "", streams=(off,))

    titles = [group.title for group in groups_of(Subject(NOWHERE, plan=plan))]

    assert "Cameras" not in titles
