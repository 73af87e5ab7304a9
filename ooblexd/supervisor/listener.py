"""The listening socket: made before anything forks, so that the port never refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from ooblexd.errors import CannotStartError

BACKLOG = 512
# What the kernel may queue for one viewer: more is latency that nobody can skip.
# Accepted sockets inherit both from the listener.
SEND_BUFFER_BYTES = 256 * 1024
NOT_SENT_BYTES = 128 * 1024


def open_listener(host: str, port: int) -> socket.socket:
    """Bind and listen.

    Raises:
        CannotStartError: The port is taken (the message says by whom), or the address
            is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    with contextlib.suppress(OSError):  # a kernel without it only queues more
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_BYTES
        )
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStartError(_why(error, host, port)) from error
    return listener


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        holder = holder_of_port(port)
        by = f" by {holder}" if holder else ""
        return (
            f"http.port: {port} on {host} is in use{by}; stop it, or choose another "
            "port (http.port in the configuration, or OOBLEXD_HTTP__PORT)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"http.host: {host} is no address of this machine"
    if error.errno == errno.EACCES:
        return f"http.port: {port} is privileged; choose one above 1023"
    return f"http: cannot listen on {host}:{port}: {error.strerror}"


def holder_of_port(port: int) -> str | None:
    """Name the process that listens on TCP ``port``: ``NAME (pid PID)``.

    Returns:
        None where nobody does, or where we may not look.
    """
    inodes = {
        inode
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for inode in _listening_inodes(Path(table), port)
    }
    if not inodes:
        return None
    links = {f"socket:[{inode}]" for inode in inodes}
    # Ourselves first: our workers may hold what is ours.
    own = Path(f"/proc/{os.getpid()}/fd")
    for folder in (own, *Path("/proc").glob("[0-9]*/fd")):
        with contextlib.suppress(OSError):  # it ended, or it is not ours to see
            if any(str(fd.readlink()) in links for fd in folder.iterdir()):
                name = (folder.parent / "comm").read_text().strip()
                return f"{name} (pid {folder.parent.name})"
    return None


def _listening_inodes(table: Path, port: int) -> list[str]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    rows = [line.split() for line in lines]
    listening = "0A"
    return [
        row[9]
        for row in rows
        if row[3] == listening and int(row[1].rsplit(":", 1)[1], 16) == port
    ]
