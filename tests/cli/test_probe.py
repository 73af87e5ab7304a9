"""``ooblexd probe`` as its user has it."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = [sys.executable, "-m", "ooblexd", "probe"]


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROBE, *arguments], check=False, capture_output=True, text=True, input=given
    )


def test_source_is_told_in_a_few_lines_and_as_json() -> None:
    told, data = run("demo:"), run("--json", "-", given="demo:\n")

    assert told.returncode == data.returncode == 0
    assert told.stdout.splitlines()[0] == "demo:"
    assert "h264 High, 1280x720, 30 fps, yuv420p" in told.stdout
    report = json.loads(data.stdout)
    assert (report["ok"], report["video"]["keyframe_interval_s"]) == (True, 1.0)
    assert told.stderr == data.stderr == ""


def test_source_that_cannot_be_read_fails_with_its_reason_and_no_secret() -> None:
    url = "rtsp://admin:hunter2@127.0.0.1:9/x"

    told, data = run(url), run("--json", url)

    assert told.returncode == data.returncode == 1
    assert told.stderr == "rtsp://***@127.0.0.1:9/x: connection refused\n"
    assert json.loads(data.stdout)["reason"] == "connection refused"
    assert "hunter2" not in told.stdout + told.stderr + data.stdout + data.stderr


def test_what_is_no_source_is_bad_usage() -> None:
    nothing, size = run("camera"), run("exec:true", "--input", "i420:3")

    assert nothing.returncode == size.returncode == 2
    assert nothing.stderr.startswith("source: a source is a URL (allowed: demo:")
    assert size.stderr.startswith("input")
    assert len(nothing.stderr.splitlines()) == 1
