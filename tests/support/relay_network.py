"""Two networks that only a TURN server is in: a box in the one, a viewer in the other.

Three namespaces of this machine: nothing is routed between the outer two, and coturn
runs in the middle.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.support.namespaces import inside
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Answer = TypeVar("_Answer")
_PROGRAMS = {"ip": "iproute2", "turnserver": "coturn"}

BOX, VIEWER = "10.204.1.1", "10.204.2.1"
RELAY_OF_BOX, RELAY_OF_VIEWER = "10.204.1.254", "10.204.2.254"
# Not neighbours: coturn takes the next port too, for RFC 5780.
STATIC_PORT, TIMED_PORT = 3478, 3488
USER, PASSWORD, SECRET = "box", "hunter2", "north"  # a test's


class RelayNetwork:
    """The namespaces ``box``, ``viewer`` and ``relay``, and what runs in the last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def lay(self) -> None:
        """Make the namespaces and start two coturn: with a user, and with a secret."""
        for name in ("relay", "box", "viewer"):
            _run("ip", "netns", "add", _namespace(name))
            _run("ip", "-n", _namespace(name), "link", "set", "lo", "up")
        ends = {"box": (BOX, RELAY_OF_BOX), "viewer": (VIEWER, RELAY_OF_VIEWER)}
        for name, (own, relay) in ends.items():
            _connect(name, own, relay)
        self.inside("relay", _forward_nothing)
        self._serve(STATIC_PORT, "--lt-cred-mech", f"--user={USER}:{PASSWORD}")
        self._serve(TIMED_PORT, "--use-auth-secret", f"--static-auth-secret={SECRET}")

    def inside(self, name: str, call: Callable[[], _Answer]) -> _Answer:
        """Return what ``call`` returns in a namespace; it runs in a thread there."""
        return inside(_namespace(name), call)

    def take_down(self) -> None:
        """End what runs, and remove the namespaces."""
        for process in self._processes:
            process.kill()
            process.wait()
        for name in ("relay", "box", "viewer"):
            subprocess.run(
                ["ip", "netns", "del", _namespace(name)],
                check=False,
                capture_output=True,
            )

    def _serve(self, port: int, *options: str) -> None:
        words = (
            *("ip", "netns", "exec", _namespace("relay"), "turnserver", "-n"),
            *(f"--listening-port={port}", f"--relay-ip={RELAY_OF_VIEWER}"),
            *(f"--listening-ip={RELAY_OF_BOX}", f"--listening-ip={RELAY_OF_VIEWER}"),
            *("--realm=ooblexd.test", "--no-cli", "--no-tls", "--no-dtls"),
            *(f"--db={self._folder}/coturn-{port}.db", "--log-file=stdout"),
            *(f"--pidfile={self._folder}/coturn-{port}.pid", "--simple-log"),
            *options,
        )
        self._processes.append(
            subprocess.Popen(
                words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )
        eventually(lambda: self.inside("relay", lambda: _is_open(port)))


@contextlib.contextmanager
def relay_network(folder: Path) -> Iterator[RelayNetwork]:
    """Lay the networks; skips where that cannot be."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            pytest.skip(f"apt install {package}")
    if os.geteuid() != 0 or not _may_have_namespaces():
        pytest.skip("networks of one's own take root")
    network = RelayNetwork(folder)
    try:
        network.lay()
        yield network
    finally:
        network.take_down()


def _namespace(name: str) -> str:
    return f"ooblexd{os.getpid()}{name}"


def _connect(name: str, own: str, relay: str) -> None:
    near, far = _namespace(name), _namespace("relay")
    _run(
        *("ip", "-n", near, "link", "add", "eth0", "type", "veth"),
        *("peer", "name", name, "netns", far),
    )
    _run("ip", "-n", near, "address", "add", f"{own}/24", "dev", "eth0")
    _run("ip", "-n", far, "address", "add", f"{relay}/24", "dev", name)
    _run("ip", "-n", near, "link", "set", "eth0", "up")
    _run("ip", "-n", far, "link", "set", name, "up")
    _run("ip", "-n", near, "route", "add", "default", "via", relay)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection((RELAY_OF_BOX, port), 1).close()
    except OSError:
        return False
    return True


def _forward_nothing() -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0")


def _may_have_namespaces() -> bool:
    name = _namespace("trial")
    made = subprocess.run(
        ["ip", "netns", "add", name], check=False, capture_output=True
    )
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    return made.returncode == 0


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
