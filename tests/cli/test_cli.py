"""The command line as a user has it: what it prints, and its exit codes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ooblexd import __version__
from ooblexd.cli import ExitCode
from tests.support.appliance import Appliance

if TYPE_CHECKING:
    from pathlib import Path

TEN_MISTAKES = """\
[http]
prot = 8800
port = "eight"

[streams.Door]
source = "demo:"

[streams.yard]
source = "rtps://192.0.2.1/"
effects = ["blur_face", { effect = "none", mode = "often" }]
jpeg_quality = 0
enabled = "yes please"

[inference]
engine = "abacus"

[log]
level = "loud"
"""


def ooblexd(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ooblexd", *arguments],
        env={**os.environ, **environ},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=15,
    )


def test_version_is_the_packages_own() -> None:
    answer = ooblexd("version")

    assert (answer.returncode, answer.stdout.split()[1]) == (0, __version__)


@pytest.mark.parametrize(
    "command", ["run", "status", "doctor", "check-config", "version"]
)
def test_each_command_has_help_with_an_example(command: str) -> None:
    answer = ooblexd(command, "--help")

    assert answer.returncode == 0
    assert f"example: ooblexd {command}" in answer.stdout


def test_help_names_every_command() -> None:
    answer = ooblexd("--help")

    assert all(name in answer.stdout for name in ("run", "check-config", "version"))


@pytest.mark.parametrize(
    "arguments", [(), ("fly",), ("run", "--fast"), ("run", "--config")]
)
def test_bad_usage_is_exit_code_2_without_a_traceback(
    arguments: tuple[str, ...],
) -> None:
    answer = ooblexd(*arguments)

    assert answer.returncode == ExitCode.USAGE
    assert "usage: ooblexd" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_ten_mistakes_are_ten_lines_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    file.write_text(TEN_MISTAKES)

    answer = ooblexd("check-config", str(file))

    lines = answer.stderr.splitlines()
    assert answer.returncode == ExitCode.USAGE
    assert len(lines) == 10
    assert all(line.startswith(f"{file}:") for line in lines)
    assert "did you mean port?" in lines[0]


@pytest.mark.parametrize("command", [("check-config",), ("run", "--config")])
def test_a_file_that_is_not_there_is_told_without_a_traceback(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    file = tmp_path / "nowhere.toml"

    answer = ooblexd(*command, str(file))

    assert answer.returncode == ExitCode.USAGE
    assert answer.stderr == (
        f"{file}: there is no such file; begin with one of config/examples\n"
    )


def test_a_mistake_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    file.write_text(TEN_MISTAKES)

    answer = ooblexd("run", "--config", str(file))

    assert answer.returncode == ExitCode.USAGE
    assert answer.stderr == ooblexd("check-config", str(file)).stderr


def test_a_good_file_is_fine(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    file.write_text('[streams.door]\nsource = "demo:"\neffects = ["blur"]\n')

    answer = ooblexd("check-config", str(file))

    assert (answer.returncode, answer.stdout) == (0, f"{file}: fine\n")


def test_a_stream_that_hides_nothing_is_fine_but_told(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    file.write_text('[streams.door]\nsource = "demo:"\n')

    answer = ooblexd("check-config", str(file))

    told = "streams.door has no effects: it is shown as it is\n"
    assert (answer.returncode, answer.stdout) == (0, f"{told}{file}: fine\n")


def test_who_has_read_enough_gets_no_traceback() -> None:
    command = [sys.executable, "-m", "ooblexd", "install-service", "--print"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        told = running.stderr.read()

    assert "Traceback" not in told
    assert "BrokenPipe" not in told


def test_a_port_in_use_names_its_holder_and_is_exit_code_3(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    file.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        answer = ooblexd("run", "--config", str(file), OOBLEXD_HTTP__PORT=str(port))

    assert answer.returncode == ExitCode.CANNOT_START
    assert f"{port} on 127.0.0.1 is in use" in answer.stderr
    assert f"(pid {os.getpid()})" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon_with_exit_code_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Appliance(tmp_path, toml="") as appliance:
        appliance.process.send_signal(number)

        assert appliance.process.wait(10) == ExitCode.DONE
        assert "Traceback" not in appliance.log()


def test_the_daemon_says_what_it_runs_and_which_address_to_open(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path) as appliance:
        assert "streams: demo" in appliance.log()
        assert f"configuration: {appliance.config}" in appliance.log()
        assert f"open {appliance.url}/ in a browser" in appliance.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon_cleanly_while_it_reads_its_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "ooblexd.toml"
    os.mkfifo(file)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "ooblexd", "run", "--config", str(file)],
            stderr=subprocess.PIPE,
        ) as process,
        file.open("w"),
    ):  # as soon as somebody reads
        process.send_signal(number)
        _, log = process.communicate(timeout=10)

    assert (process.returncode, log) == (ExitCode.DONE, b"")
