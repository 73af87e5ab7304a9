from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from ooblexd.errors import CannotStartError
from ooblexd.supervisor.listener import (
    NOT_SENT_BYTES,
    SEND_BUFFER_BYTES,
    holder_of_port,
    open_listener,
)

HOLD_A_PORT = """
import socket, sys
held = socket.create_server(("127.0.0.1", 0))
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_a_port_is_accepted_before_anybody_accepts() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        viewer = socket.create_connection(listener.getsockname(), timeout=5)

        viewer.close()


def test_a_port_in_use_is_refused_with_its_holder() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_PORT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        port = int(holder.stdout.readline())

        with pytest.raises(CannotStartError, match=f"pid {holder.pid}") as caught:
            open_listener("127.0.0.1", port)

        holder.communicate("")
    assert f"{port} on 127.0.0.1 is in use" in str(caught.value)
    assert "OOBLEXD_HTTP__PORT" in str(caught.value)


def test_nobody_holds_a_free_port() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert holder_of_port(port) == f"{own_name()} (pid {os.getpid()})"

    assert holder_of_port(port) is None


def test_what_a_worker_holds_too_is_ours() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[fd]) as worker:
            assert holder_of_port(port) == f"{own_name()} (pid {os.getpid()})"
            worker.communicate()


def own_name() -> str:
    with open("/proc/self/comm") as comm:  # noqa: PTH123 # the reader is this process
        return comm.read().strip()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotStartError, match="no address of this machine"):
        open_listener("192.0.2.77", 0)


def test_a_host_that_is_no_address_is_refused() -> None:
    with pytest.raises(CannotStartError, match="cannot listen on no such host"):
        open_listener("no such host", 0)


def test_a_viewer_inherits_how_little_may_wait_for_it() -> None:
    with (
        open_listener("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname(), timeout=5),
        listener.accept()[0] as accepted,
    ):
        waiting = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
        assert waiting == NOT_SENT_BYTES
        buffered = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert buffered <= 2 * SEND_BUFFER_BYTES


def test_a_port_is_free_again_at_once() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            listener.accept()[0].close()

    open_listener("127.0.0.1", port).close()
