"""A network that loses and delays packets, between two namespaces of this machine.

The kernel's netem is a module that many kernels lack, so the packets go through vde2:
a switch with a tap device in each namespace, and ``wirefilter`` between the switches.
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
_PROGRAMS = {"ip": "iproute2", "vde_switch": "vde2", "wirefilter": "vde2"}


class LossyNetwork:
    """One wire with a namespace at either end.

    Attributes:
        namespaces: Their names: the near one and the far one.
        addresses: Of the two ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._console = folder / "console"
        self.namespaces = tuple(f"ooblexd{os.getpid()}{end}" for end in "ab")
        self.addresses = ("10.203.77.1", "10.203.77.2")
        self._processes: list[subprocess.Popen[bytes]] = []

    def lay(self, *filters: str) -> None:
        """Connect the namespaces by a wire with wirefilter's options."""
        for name, address in zip(self.namespaces, self.addresses, strict=True):
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
            self._start(
                *("ip", "netns", "exec", name, "vde_switch", "-tap", "tap0"),
                *("-s", str(self._folder / name)),
            )
            eventually(lambda: _is_there(name))  # noqa: B023 - at once
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "tap0")
            _run("ip", "-n", name, "link", "set", "tap0", "up")
        ends = ":".join(str(self._folder / name) for name in self.namespaces)
        self._start("wirefilter", "-v", ends, "-M", str(self._console), *filters)

    def change(self, command: str) -> None:
        """Change the wire, by a command of wirefilter's console such as ``loss 5``."""
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(str(self._console))
            console.recv(1 << 16)  # its greeting
            console.sendall(f"{command}\n".encode())
            console.recv(1 << 16)

    def near(self, call: Callable[[], _Answer]) -> _Answer:
        """Return what ``call`` returns at the near end; it runs in a thread.

        What it starts stays there.
        """
        return inside(self.namespaces[0], call)

    def far(self, call: Callable[[], _Answer]) -> _Answer:
        """Return what ``call`` returns at the far end, likewise."""
        return inside(self.namespaces[1], call)

    def take_down(self) -> None:
        """End what runs, and remove the namespaces."""
        for process in reversed(self._processes):
            assert process.stdin is not None
            process.stdin.close()
            process.kill()
            process.wait()
        for name in self.namespaces:
            subprocess.run(
                ["ip", "netns", "del", name], check=False, capture_output=True
            )

    def _start(self, *words: str) -> None:
        self._processes.append(
            subprocess.Popen(
                words,
                stdin=subprocess.PIPE,  # its console, which must stay open
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )


@contextlib.contextmanager
def lossy_network(folder: Path, *filters: str) -> Iterator[LossyNetwork]:
    """Lay a wire with wirefilter's options, such as ``-l 2 -d 20+20``."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            pytest.skip(f"apt install {package}")
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        pytest.skip("networks of one's own take root and /dev/net/tun")
    network = LossyNetwork(folder)
    try:
        network.lay(*filters)
        yield network
    finally:
        network.take_down()


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _succeeds(words: list[str]) -> bool:
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def _is_there(namespace: str) -> bool:
    return _succeeds(["ip", "-n", namespace, "link", "show", "tap0"])
