"""Step 6: how one asks for it. The API, the page, and the pictures, on one port.

Control is one worker: an event loop with Starlette on uvicorn. It knows HTTP and asks
others for the rest: numbers come off the board, pictures out of the encoded rings, and
a change goes to the supervisor. It maps no ring but the encoded ones, and those of
uploads, into which it writes what clients send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from ooblexd.board import Board
    from ooblexd.plan import DaemonPlan

__all__ = ["ControlContext"]


@dataclass(frozen=True, slots=True)
class ControlContext:
    """What the supervisor hands to `ooblexd.control.worker.run_control`.

    Attributes:
        board: All pages; control writes its worker page and the demand pages.
        commands: Control's end of the command sockets, non-blocking.
        listener: Bound and listening; the supervisor keeps it while control restarts.
        page: Index of control's worker page.
        plan: What the daemon was started with.
        supervisor_page: Index of the page whose first word is the supervisor's promise.
        parent_pid: Of the supervisor.
        control_socket: Listening too, for this machine's own; None where there is none.
    """

    board: Board
    commands: socket.socket
    listener: socket.socket
    page: int
    plan: DaemonPlan
    supervisor_page: int
    parent_pid: int
    control_socket: socket.socket | None = None
