"""``ooblexd doctor`` as a user has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.appliance import Appliance
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

# Every codec and engine is loaded anew, on a machine that may be busy.
pytestmark = pytest.mark.timeout(60)

GOOD = """
[http]
port = 0

[streams.demo]
source = "demo:"
"""
BAD = """
[http]
port = 0

[streams.gone]
source = "rtsp://admin:geheim@127.0.0.1:1/stream"
"""


def doctor(
    folder: Path, toml: str, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    file = folder / "ooblexd.toml"
    file.write_text(toml)
    file.chmod(0o600)
    return subprocess.run(
        [sys.executable, "-m", "ooblexd", "doctor", "--config", file, *arguments],
        env={**os.environ, "RUNTIME_DIRECTORY": str(folder), **environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=40,
    )


def rows(answer: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    found = json.loads(answer.stdout)["checks"]
    return {row["name"]: row for row in found}


def test_a_good_box_is_told_check_by_check_and_exits_0(tmp_path: Path) -> None:
    answer = doctor(tmp_path, GOOD)

    assert answer.returncode == 0, answer.stdout
    for title in ("Box", "Memory", "Daemon", "Codecs", "Analysis", "Cameras"):
        assert f"{title}\n" in answer.stdout
    for name in ("cpu", "shm", "atomics", "H.264 decode", "onnx-cpu", "camera demo"):
        assert f"    ok  {name} " in answer.stdout
    assert "\x1b" not in answer.stdout
    assert not answer.stderr


def test_a_camera_that_is_off_fails_with_its_remedy_and_no_password(
    tmp_path: Path,
) -> None:
    answer = doctor(tmp_path, BAD, "--json", XDG_STATE_HOME=f"{tmp_path}/state")

    assert answer.returncode == 1
    assert rows(answer)["state"]["text"].startswith(f"{tmp_path}/state/ooblexd")
    found = rows(answer)["camera gone"]
    assert found["level"] == "fail"
    assert "connection refused" in found["text"]
    assert "streams.gone.source" in found["remedy"]
    assert json.loads(answer.stdout)["status"] == "fail"
    assert "geheim" not in answer.stdout + answer.stderr


def test_what_the_running_daemon_holds_is_left_to_it(tmp_path: Path) -> None:
    with Appliance(tmp_path, GOOD) as appliance:
        eventually(lambda: appliance.stream("demo")["state"] == "running")
        port = str(appliance.port)
        answer = doctor(tmp_path, GOOD, "--json", OOBLEXD_HTTP__PORT=port)

    found = rows(answer)
    assert answer.returncode == 0, answer.stdout
    assert f"127.0.0.1:{port}/" in found["daemon"]["text"]
    assert found["port"]["text"].endswith("held by the running daemon")
    assert "the daemon reads it: 1280x720" in found["camera demo"]["text"]


def test_every_problem_of_the_configuration_fails_and_the_rest_is_still_told(
    tmp_path: Path,
) -> None:
    answer = doctor(tmp_path, '[htpp]\n[streams.x]\nsorce = "demo:"\n', "--json")

    found = json.loads(answer.stdout)["checks"]
    told = [row["text"] for row in found if row["name"] == "configuration"]
    assert answer.returncode == 1
    assert any("did you mean http?" in text for text in told)
    assert any("did you mean source?" in text for text in told)
    assert rows(answer)["onnx-cpu"]["level"] == "ok"


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    file.write_text(GOOD)
    with subprocess.Popen(
        [sys.executable, "-m", "ooblexd", "doctor", "--config", file],
        env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "Box\n"
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=20)

    assert running.returncode in (0, 1)  # it may have been done just then
    assert not told


def test_a_file_that_is_not_there_is_told_without_a_traceback(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "ooblexd", "doctor", "--config", tmp_path / "none"],
        env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)},
        check=False, capture_output=True, text=True, timeout=40,
    )  # fmt: skip

    assert answer.returncode == 1
    assert "there is no such file" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr
