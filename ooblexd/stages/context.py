"""What each stage is given, and how it speaks to the supervisor."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ooblexd import commands
from ooblexd.commands import Ready

if TYPE_CHECKING:
    import socket

    from ooblexd.board import Board, Page
    from ooblexd.commands import Message
    from ooblexd.heartbeat import Heartbeat


@dataclass(slots=True)
class StageContext:
    """What a stage is given.

    Attributes:
        board: All pages.
        page: The worker's own.
        heartbeat: To promise more time before a foreign call.
        end: Its command socket.
        is_ready: Whether the supervisor was told.
    """

    board: Board
    page: Page
    heartbeat: Heartbeat
    end: socket.socket
    is_ready: bool = False

    def send(self, message: Message) -> None:
        """Say ``message`` to the supervisor, which always reads."""
        with suppress(BlockingIOError, ConnectionError):
            # It is stopped or gone: it will be asked again, or we end with it.
            commands.send(self.end, message)

    def announce_ready(self) -> None:
        """Say once that the worker does its work."""
        if not self.is_ready:
            self.is_ready = True
            self.send(Ready())
