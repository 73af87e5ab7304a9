"""The daemon as its user has it: a process, a port, a configuration file."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

# Ten pictures a second: to look for faces in all that there are keeps a core busy.
DEMO_TOML = """
[streams.demo]
source = "demo:"
max_fps = 10
effects = ["blur_faces"]
"""
# Guarded by what needs no network, and one picture a second, after which 2.5 s of
# silence are none: no picture is covered because the machine is busy, once three are
# seen, since which the daemon knows how slow it is.
ZONE_TOML = """
[streams.{name}]
source = "demo:"
max_fps = 1

[[streams.{name}.effects]]
effect = "privacy_zone"
polygons = [[[0.9, 0.9], [1.0, 0.9], [1.0, 1.0]]]
"""
_ADDRESS = re.compile(r"open http://127\.0\.0\.1:(\d+)/")


class Appliance:
    """Runs ``ooblexd run`` on a port of the kernel's choice until left.

    Args:
        folder: Where the configuration file is, and whatever the daemon writes.
        toml: The configuration.
        environment: Beside the caller's own.
    """

    def __init__(
        self,
        folder: Path,
        toml: str = DEMO_TOML,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.config = folder / "ooblexd.toml"
        self.config.write_text(toml)
        self._environment = {
            **os.environ,
            "OOBLEXD_HTTP__PORT": "0",
            "PYTHONUNBUFFERED": "1",
            "RUNTIME_DIRECTORY": str(folder),  # for the control socket
            "XDG_STATE_HOME": str(folder / "state"),
            **(environment or {}),
        }
        self.lines: list[str] = []
        self.port = 0
        self.process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self._collector.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()
        if error is not None:
            sys.stderr.write(self.log())

    def start(self) -> None:
        """Start the daemon and wait until its page answers."""
        self.port = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ooblexd", "run", "--config", str(self.config)],
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._collector = threading.Thread(target=self._collect, daemon=True)
        self._collector.start()
        eventually(lambda: self.port > 0 or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()
        eventually(self._answers)

    def stop(self) -> int:
        """Stop the daemon as systemd does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def log(self) -> str:
        """Return all that the daemon has logged."""
        return "".join(self.lines)

    @property
    def url(self) -> str:
        """Of the page, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, json: object | None = None
    ) -> httpx.Response:
        """Ask the API."""
        return httpx.request(method, self.url + path, json=json, timeout=15)

    def stream(self, name: str) -> Mapping[str, object]:
        """Return a stream as the API tells it."""
        answer: Mapping[str, object] = self.request(
            "GET", f"/api/v1/streams/{name}"
        ).json()
        return answer

    def pid_of(self, worker: str) -> int:
        """Return the process of ``worker``, such as ``ingest:demo``; 0 if none."""
        for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for pid in children.read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if Path(f"/proc/{pid}/comm").read_text().strip() == worker[:15]:
                        return int(pid)
        return 0

    def kill(self, worker: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a worker a signal, once there is one, and return its process."""
        pid = 0

        def is_there() -> bool:
            nonlocal pid
            pid = self.pid_of(worker)
            return pid != 0

        eventually(is_there)
        os.kill(pid, number)
        return pid

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def _collect(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            found = _ADDRESS.search(line)
            if found and not self.port:  # later ones may be cameras
                self.port = int(found.group(1))
