"""``exec:`` by real commands: what they write, how they fail, and what they leave."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ooblexd.clock import monotonic_ns
from ooblexd.errors import SourceUnavailableError
from ooblexd.sources import InputOptions, SourceOptions, open_source
from ooblexd.sources.program import Program, _newest, last_words
from tests.support.cameras import require_ffmpeg
from tests.support.family import MEMBERS, family, is_running, pids_in
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from ooblexd.sources import Picture, Source

FFMPEG = "ffmpeg -v error -re -f lavfi -i testsrc=size={size}:rate=25"
GST = "gst-launch-1.0 -q videotestsrc is-live=true num-buffers=100 ! "
PATIENT = SourceOptions(open_timeout_s=15.0, read_timeout_s=15.0)


def python(script: str) -> str:
    return f"exec:{shlex.join([sys.executable, '-c', script])}"


def reason_of(url: str, options: SourceOptions = PATIENT) -> str:
    with pytest.raises(SourceUnavailableError) as caught:
        read_to_the_end(url, options)
    return caught.value.reason


def read_to_the_end(url: str, options: SourceOptions) -> None:
    source = open_source(url, options)
    try:
        while True:
            source.read()
    finally:
        source.close()


def all_that_it_writes(command: str) -> bytes:
    program, written = Program(command, monotonic_ns), b""
    with suppress(SourceUnavailableError):
        while data := program.read(monotonic_ns() + 10**10):
            written += data
    program.close()
    return written


def first_of(url: str, options: SourceOptions | None = None) -> tuple[Source, Picture]:
    source = open_source(url, options or SourceOptions())
    try:
        return source, source.read()
    finally:
        source.close()


@pytest.mark.parametrize("size", ["320x240", "321x241"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("-pix_fmt yuv420p -f yuv4mpegpipe -", InputOptions()),
        ("-pix_fmt yuv444p -f yuv4mpegpipe -", InputOptions("y4m")),
        ("-pix_fmt yuv420p -strict -1 -f yuv4mpegpipe -", InputOptions()),
        ("-pix_fmt yuvj420p -f mjpeg -", InputOptions()),
        ("-pix_fmt yuv420p -f rawvideo -", InputOptions("i420")),
        ("-pix_fmt nv12 -f rawvideo -", InputOptions("nv12")),
    ],
)
def test_ffmpeg_is_read_in_each_format_at_any_size(
    size: str, kind: str, options: InputOptions
) -> None:
    require_ffmpeg()
    width, height = (int(part) for part in size.split("x"))
    if options.format in ("i420", "nv12"):
        options = InputOptions(options.format, width, height, 25.0)

    source, picture = first_of(
        f"exec:{FFMPEG.format(size=size)} {kind}", SourceOptions(input=options)
    )

    assert (picture.width, picture.height) == (width, height)
    assert source.description.transport == "pipe"
    is_jpeg = "mjpeg" in kind
    assert picture.full_range is is_jpeg
    assert source.description.fps == (0.0 if is_jpeg else 25.0)
    planes = picture.planes()
    assert 60 < planes.y.mean() < 190
    assert planes.u.std() > 20


@pytest.mark.parametrize(
    ("pipeline", "options"),
    [
        ("jpegenc ! fdsink fd=1", InputOptions()),
        ("video/x-raw,format=I420 ! y4menc ! fdsink fd=1", InputOptions()),
        (
            "video/x-raw,format=I420,width=320,height=240 ! fdsink fd=1",
            InputOptions("i420", 320, 240),
        ),
    ],
)
def test_gstreamer_is_read(pipeline: str, options: InputOptions) -> None:
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("apt install gstreamer1.0-tools gstreamer1.0-plugins-good")

    _, picture = first_of(f"exec:{GST}{pipeline}", SourceOptions(input=options))

    assert (picture.width, picture.height) == (320, 240)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-command --x", "there is no command no-such-command"),
        ("/no/such/command", "there is no command /no/such/command"),
        ("/proc/self/status", "/proc/self/status may not be executed"),
        ("/tmp", "/tmp is a folder, not a command"),  # noqa: S108 # any would do
        ("true", "the command ended"),
        ("sh -c 'exit 3'", "the command ended (exit code 3)"),
        ("sh -c 'kill -SEGV $$'", "the command was killed by SIGSEGV"),
        ("sh -c 'echo no camera found >&2; exit 1'", "(exit code 1): no camera found"),
        ("sh -c 'sleep 60 &'", "the command ended"),
        ("echo hello world", "what the command writes is unknown"),
        ("cat /dev/zero", "what the command writes is unknown"),
    ],
)
def test_owner_is_told_why_a_command_gives_nothing(command: str, reason: str) -> None:
    assert reason in reason_of(f"exec:{command}")


def test_script_without_an_interpreter_may_not_be_executed(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"\x7fELF nonsense")
    script.chmod(0o755)

    assert "(exit code 126)" in reason_of(f"exec:{script}")


def test_command_that_writes_nothing_is_told_of_and_waited_for() -> None:
    told: list[str] = []
    options = SourceOptions(
        open_timeout_s=6.0, read_timeout_s=2.0, on_delay=told.append
    )
    script = "echo warming up >&2; exec sleep 60"

    reason = reason_of(f"exec:sh -c {shlex.quote(script)}", options)

    assert told == ["the command writes nothing for 2 s: warming up"]
    assert reason == "the command writes nothing for 6 s: warming up"


def test_command_that_takes_long_to_begin_is_read_all_the_same() -> None:
    require_ffmpeg()
    told: list[str] = []
    options = SourceOptions(read_timeout_s=0.3, on_delay=told.append)
    script = f"sleep 0.8; exec {FFMPEG.format(size='64x48')} -f mjpeg -"

    _, picture = first_of(f"exec:sh -c {shlex.quote(script)}", options)

    assert picture.width == 64
    assert told


def test_truncated_picture_is_no_picture() -> None:
    script = (
        "import sys,time; sys.stdout.buffer.write(bytes(5000)); sys.stdout.flush(); "
    )
    options = SourceOptions(
        open_timeout_s=6.0, read_timeout_s=0.4, input=InputOptions("i420", 64, 64)
    )

    ended = reason_of(python(script), options)
    silent = reason_of(python(script + "time.sleep(60)"), options)

    assert ended == "the command ended"
    assert silent == "the command writes no whole picture for 6 s"


def test_jpegs_that_are_none_end_the_source() -> None:
    script = (
        "import sys\nwhile True: "
        "sys.stdout.buffer.write(b'\\xff\\xd8\\xff\\xda\\0\\2nothing\\xff\\xd9')"
    )

    assert "cannot be decoded" in reason_of(python(script))


def test_flood_on_standard_error_neither_stops_nor_fills_anything() -> None:
    require_ffmpeg()
    script = f"yes complaint >&2 & exec {FFMPEG.format(size='64x48')} -f mjpeg -"

    source = open_source(f"exec:sh -c {shlex.quote(script)}")
    pictures = [source.read() for _ in range(20)]
    source.close()

    assert len(pictures) == 20


def test_slow_reader_gets_the_newest_picture_and_is_told_of_the_others() -> None:
    passed: list[int] = []
    script = (
        "import sys, time\n"
        "for n in range(60):\n"
        "  sys.stdout.buffer.write(bytes([n]) * 96); sys.stdout.flush()\n"
        "sys.stderr.write('done'); sys.stderr.flush(); time.sleep(60)"
    )
    options = SourceOptions(
        input=InputOptions("i420", 8, 8), on_passed_over=lambda: passed.append(1)
    )
    source = open_source(python(script), options)
    numbers = [int(source.read().planes().y[0, 0])]
    while numbers[-1] < 59:
        numbers.append(int(source.read().planes().y[0, 0]))
    source.close()

    assert numbers == sorted(numbers)
    assert len(numbers) + len(passed) == 60


def test_command_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    source = open_source(f"exec:{family(tmp_path)}", raw())
    eventually(lambda: len(pids_in(tmp_path)) == MEMBERS)
    source.close()

    assert not any(is_running(pid) for pid in pids_in(tmp_path))


def test_nothing_outlives_the_process_that_reads_it(tmp_path: Path) -> None:
    script = (
        "import signal, sys\n"
        "from ooblexd.sources import open_source, SourceOptions, InputOptions\n"
        "source = open_source(sys.argv[1], "
        "SourceOptions(input=InputOptions('i420', 8, 8)))\n"
        "print('open', flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, f"exec:{family(tmp_path)}"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"open\n"
        eventually(lambda: len(pids_in(tmp_path)) == MEMBERS)

        os.killpg(reader.pid, signal.SIGKILL)

    eventually(lambda: not any(is_running(pid) for pid in pids_in(tmp_path)))


def test_command_may_let_go_of_its_camera_before_it_is_killed(tmp_path: Path) -> None:
    flag = tmp_path / "released"
    script = (
        f"trap ': > {flag}; exit 0' TERM; "
        "head -c 96 /dev/zero; while true; do sleep 0.05; done"
    )
    source = open_source(f"exec:sh -c {shlex.quote(script)}", raw())

    source.close()

    assert flag.exists()


def test_command_sees_nothing_that_is_meant_for_the_daemon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OOBLEXD_STREAMS__DOOR__SOURCE", "rtsp://u:hunter2@camera/")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("CAMERA", "front")

    written = all_that_it_writes("env")

    assert b"CAMERA=front" in written
    assert b"OOBLEXD" not in written
    assert b"NOTIFY" not in written


def test_command_has_no_shell_and_signals_as_they_should_be(tmp_path: Path) -> None:
    script = tmp_path / "say"
    script.write_text('#!/bin/sh\necho "$1"; grep SigIgn /proc/self/status\n')
    script.chmod(0o755)

    written = all_that_it_writes(f"{script} '$HOME | a'")

    assert written.startswith(b"$HOME | a\n")
    assert written.endswith(b"SigIgn:\t0000000000000000\n")


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        (
            "ERROR: no camera\nSetting pipeline to NULL ...\nFreeing pipeline\n",
            "ERROR: no camera",
        ),
        ("frame=1\rframe=2\rframe=3", "frame=3"),
        ("x: Permission denied\nConversion failed!\n", "x: Permission denied"),
        ("\x1b[31mboom\x1b[0m\n", "boom"),
        ("a\x07b", "a?b"),
        (
            "cannot open rtsp://u:hunter2@h/x?token=abc",
            "cannot open rtsp://***@h/x?token=***",
        ),
        ("x" * 500, "x" * 159 + "…"),
    ],
)
def test_of_all_that_is_said_the_line_that_tells_most_is_kept(
    told: str, line: str
) -> None:
    assert last_words(told) == line


def raw() -> SourceOptions:
    return SourceOptions(input=InputOptions("i420", 8, 8))


@pytest.mark.parametrize("cut", range(30))
def test_no_half_of_a_password_is_told_from_a_long_line(cut: int) -> None:
    line = b"error http://u:hunter2secret@h/ " * 400

    told = _newest(line[: len(line) - cut])

    assert len(told) > 3000
    assert "secret" not in last_words(told.decode())


def test_pictures_are_what_the_command_wrote() -> None:
    script = (
        "import sys\n"
        "picture = bytes(range(64)) + bytes([90]) * 16 + bytes([160]) * 16\n"
        "sys.stdout.buffer.write(picture); sys.stdout.flush()\n"
        "sys.stdin.close(); import time; time.sleep(60)"
    )

    _, picture = first_of(python(script), raw())

    planes = picture.planes()
    assert np.array_equal(planes.y, np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert (planes.u == 90).all()
    assert (planes.v == 160).all()
