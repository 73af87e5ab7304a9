"""The daemon that runs on this machine, asked by its control socket."""

from __future__ import annotations

import grp
import http.client
import os
import socket
from typing import TYPE_CHECKING

from ooblexd.errors import NoDaemonError
from ooblexd.status import parse_status
from ooblexd.supervisor.control_socket import control_socket_paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ooblexd.status import Status

ANSWER_WITHIN_S = 5.0
_START = (
    "start it by `tools/run` (from a clone), `ooblexd run`, or as a service by "
    "`systemctl start ooblexd`"
)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_WITHIN_S)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def read_status(path: Path | None, environ: Mapping[str, str]) -> Status:
    """Return how the running daemon is now.

    Args:
        path: Of its control socket; None looks where daemons put it.
        environ: The environment variables, for that.

    Raises:
        NoDaemonError: None runs, it does not answer, or we may not ask it.
    """
    paths = (path,) if path is not None else control_socket_paths(environ)
    refusal = None
    for candidate in paths:
        try:
            return _ask(candidate)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            continue  # nobody, or somebody who was killed
        except PermissionError:
            refusal = refusal or _may_not(candidate)
    raise refusal or _nobody(paths)


def _ask(path: Path) -> Status:
    connection = _Connection(path)
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse()
        text = answer.read().decode()
    except TimeoutError as exc:
        reason = f"the daemon does not answer at {path} within {ANSWER_WITHIN_S:.0f} s"
        raise NoDaemonError(reason, "its log says why") from exc
    except (http.client.HTTPException, ConnectionResetError, BrokenPipeError) as exc:
        reason = f"the daemon at {path} ended in the middle of its answer"
        raise NoDaemonError(reason, "try again") from exc
    finally:
        connection.close()
    if answer.status == http.client.FORBIDDEN:
        raise PermissionError
    try:
        return parse_status(text)
    except ValueError as exc:
        reason = f"{path} is answered by something else: {exc}"
        raise NoDaemonError(reason, "restart the daemon") from exc


def _nobody(paths: Sequence[Path]) -> NoDaemonError:
    places = " and ".join(str(path) for path in paths)
    reason = f"no daemon is running: nobody answers at {places}"
    return NoDaemonError(reason, _START, is_there=False)


def _may_not(path: Path) -> NoDaemonError:
    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError):  # we do not even see it, or its group has no name
        group = "ooblexd"
    user = os.environ.get("USER") or "YOU"
    return NoDaemonError(
        f"you may not ask the daemon at {path}",
        f"use sudo, or join its group (sudo usermod -aG {group} {user}) and log in "
        "again",
    )
