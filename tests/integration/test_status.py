"""``ooblexd status`` beside a daemon, as its owner has it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from ooblexd.cli.running import read_status
from ooblexd.errors import NoDaemonError
from tests.support.appliance import Appliance
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.status import Status, WorkerStatus

pytestmark = pytest.mark.timeout(120)

CAMERAS = """
[streams.demo]
source = "demo:"

[streams.gone]
source = "rtsp://admin:geheim@127.0.0.1:1/stream"
"""
NOBODY = 65534


def ooblexd(
    folder: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ooblexd", *arguments],
        env={**os.environ, "RUNTIME_DIRECTORY": str(folder), **environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=15,
    )


@pytest.fixture(scope="module")
def appliance() -> Iterator[Appliance]:
    # Not pytest's folder: that one is closed to the users that are refused below.
    with (
        tempfile.TemporaryDirectory() as name,
        Appliance(Path(name), CAMERAS) as running,
    ):
        Path(name).chmod(0o755)
        eventually(lambda: status_of(Path(name)).streams[0].state == "running")
        yield running


def status_of(folder: Path) -> Status:
    return read_status(folder / "control.sock", {})


def test_streams_and_workers_are_shown_and_no_password(appliance: Appliance) -> None:
    answer = ooblexd(appliance.config.parent, "status")

    assert answer.returncode == 0, answer.stderr
    assert f"http://127.0.0.1:{appliance.port}/" in answer.stdout
    for word in ("demo", "running", "gone", "ingest:gone", "inference:0", "control"):
        assert word in answer.stdout
    assert "geheim" not in answer.stdout
    assert "\x1b" not in answer.stdout


def test_a_stream_that_nobody_watches_is_idle(appliance: Appliance) -> None:
    folder = appliance.config.parent

    eventually(lambda: status_of(folder).streams[0].is_idle)
    demo, gone = status_of(folder).streams

    assert (demo.state, demo.picture) == ("running", "live")
    assert demo.dropped_idle > 0
    assert not gone.is_idle
    assert appliance.stream("demo")["is_idle"] is True
    with MjpegViewer(appliance.port, "demo"):
        eventually(lambda: not status_of(folder).streams[0].is_idle)


def test_a_script_gets_json_with_the_load_of_each_worker(appliance: Appliance) -> None:
    answer = ooblexd(appliance.config.parent, "status", "--json")

    found = json.loads(answer.stdout)
    workers = {worker["name"]: worker for worker in found["workers"]}
    assert [stream["name"] for stream in found["streams"]] == ["demo", "gone"]
    assert workers["supervisor"]["pid"] == appliance.process.pid
    assert workers["ingest:demo"]["cpu_percent"] >= 0
    assert all(worker["resident_bytes"] > 1 << 20 for worker in found["workers"])
    assert "geheim" not in answer.stdout


def test_who_comes_by_the_port_gets_nothing_of_it(appliance: Appliance) -> None:
    assert appliance.request("GET", "/status").status_code == 404


def test_the_socket_serves_the_status_and_nothing_else(appliance: Appliance) -> None:
    path = appliance.config.parent / "control.sock"
    transport = httpx.HTTPTransport(uds=str(path))

    with httpx.Client(transport=transport, base_url="http://any.host") as client:
        assert client.get("/status").status_code == 200
        assert client.post("/status").status_code == 405
        assert client.get("/api/v1/streams").status_code == 404
        assert client.get("/streams/demo/snapshot.jpg").status_code == 404


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_socket_works_on_when_control_ends(
    appliance: Appliance, number: signal.Signals
) -> None:
    folder = appliance.config.parent
    former = control_of(folder)

    os.kill(former.pid, number)

    def is_replaced() -> bool:
        try:
            return control_of(folder).pid != former.pid
        except NoDaemonError:  # it ended while it answered
            return False

    eventually(is_replaced)
    assert control_of(folder).restarts == former.restarts + 1


def control_of(folder: Path) -> WorkerStatus:
    return next(one for one in status_of(folder).workers if one.name == "control")


@contextmanager
def as_nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def test_another_user_is_refused_and_told_the_group(appliance: Appliance) -> None:
    folder = appliance.config.parent

    with as_nobody(), pytest.raises(NoDaemonError, match="usermod -aG root"):
        status_of(folder)


def test_another_user_is_refused_where_the_file_lets_him_in(
    appliance: Appliance,
) -> None:
    folder = appliance.config.parent
    path = folder / "control.sock"
    path.chmod(0o666)

    try:
        with as_nobody(), pytest.raises(NoDaemonError, match="you may not ask"):
            status_of(folder)
    finally:
        path.chmod(0o660)


def test_a_second_daemon_says_whose_the_socket_is_and_runs(
    appliance: Appliance, tmp_path: Path
) -> None:
    folder = appliance.config.parent
    environ = {"RUNTIME_DIRECTORY": str(folder)}

    with Appliance(tmp_path, environment=environ) as second:
        assert f"another daemon (pid {appliance.process.pid})" in second.log()
        assert second.stop() == 0

    assert status_of(folder).port == appliance.port


def test_without_a_daemon_a_sentence_says_so_and_the_exit_code_is_1(
    tmp_path: Path,
) -> None:
    path = tmp_path / "control.sock"

    for arguments in (("status",), ("status", "--watch"), ("status", "--json")):
        answer = ooblexd(tmp_path, *arguments, "--socket", str(path))

        assert answer.returncode == 1
        assert f"no daemon is running: nobody answers at {path}" in answer.stderr
        assert "start it by `tools/run`" in answer.stderr
        assert "Traceback" not in answer.stderr
        assert not answer.stdout


def test_a_killed_daemon_is_no_running_one_and_the_next_takes_its_place(
    tmp_path: Path,
) -> None:
    appliance = Appliance(tmp_path)
    with appliance:
        os.kill(appliance.process.pid, signal.SIGKILL)
        appliance.process.wait()
        assert (tmp_path / "control.sock").exists()
        eventually(lambda: "no daemon is running" in why_not(tmp_path))

    with Appliance(tmp_path) as following:
        assert status_of(tmp_path).port == following.port
        assert following.stop() == 0
        assert not (tmp_path / "control.sock").exists()


def why_not(folder: Path) -> str:
    try:
        status_of(folder)
    except NoDaemonError as error:
        return str(error)
    return ""


class Terminal:
    """``ooblexd status --watch`` in a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        self._fd = ours
        self._text = b""
        self.process = subprocess.Popen(
            # As at a terminal, also where the tests were started in the background.
            [
                *("env", "--default-signal=INT"),
                *(sys.executable, "-m", "ooblexd", "status", "--watch"),
            ],
            env={
                **os.environ,
                "RUNTIME_DIRECTORY": str(folder),
                "TERM": "xterm-256color",
                "COLUMNS": "100",
                "LINES": "30",
            },
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def shows(self, text: str) -> Callable[[], bool]:
        """Return whether ``text`` has come since `clear`."""

        def has_come() -> bool:
            with suppress(OSError):  # there is nothing to read
                self._text += os.read(self._fd, 65536)
            return text.encode() in self._text

        return has_come

    def clear(self) -> None:
        """Forget what was drawn."""
        self._text = b""

    def close(self) -> None:
        """Let go of the terminal."""
        self.process.kill()
        self.process.wait()
        os.close(self._fd)


def test_the_watch_outlives_a_restart_and_gives_the_terminal_back(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path) as first:
        terminal = Terminal(tmp_path)
        try:
            eventually(terminal.shows(f":{first.port}/"))
            eventually(terminal.shows("inference:0"))
            first.stop()
            eventually(terminal.shows("no daemon is running"))
            with Appliance(tmp_path) as second:
                terminal.clear()
                eventually(terminal.shows(f":{second.port}/"))
                terminal.process.send_signal(signal.SIGINT)
                # The former screen again; who does not read blocks who draws.
                eventually(terminal.shows("\x1b[?1049l"))
                assert terminal.process.wait(10) == 0
                assert b"Traceback" not in terminal._text
        finally:
            terminal.close()
