"""When systemd is told what: that we are ready, how it goes, that we live.

The watchdog is fed from the supervisor's loop, so a supervisor that hangs is not fed. A
worker that hangs is the supervisor's own business, and no reason to restart the box's
daemon. Control is one too, but where it does not come back, for a minute and through
all its new lives, nobody can watch or change anything: there the feeding stops as well,
and systemd begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S
from ooblexd.heartbeat import WorkerState, WorkerWord, is_overdue
from ooblexd.supervisor.standing import (
    Standing,
    StreamStanding,
    is_any_settled,
    standing_of,
    status_line,
)
from ooblexd.supervisor.stream import CONTROL

if TYPE_CHECKING:
    from ooblexd.board import Board
    from ooblexd.supervisor.notify import Notifier
    from ooblexd.supervisor.stream import Stream
    from ooblexd.supervisor.streams import Streams

CONTROL_LOST_NS = 60 * NS_PER_S
_STATUS_EVERY_NS = NS_PER_S
_FEEDS_A_PERIOD = 4


class Report:
    """Tells systemd, from the supervisor's loop.

    Args:
        notifier: To systemd; to nobody where it did not start us.
        board: With what the workers say.
        streams: Of which systemd is told.
        fault: What is wrong with the configuration that the daemon was started with.
    """

    def __init__(
        self, notifier: Notifier, board: Board, streams: Streams, fault: str = ""
    ) -> None:
        self._notifier = notifier
        self._board = board
        self._streams = streams
        self._workers = streams.workers
        self._is_ready = False
        self._is_stopping = False
        self._fault = f"{fault}; " if fault else ""  # then of the last reload
        self._status = ""
        self._status_due_ns = 0
        self._feed_due_ns = 0
        self._control_beat_ns = 0

    def turn(self, now_ns: int) -> None:
        """Say what is due; called each time the loop comes round."""
        if self._control_beats(now_ns):
            self._control_beat_ns = now_ns
        if now_ns >= self._status_due_ns and not self._is_stopping:
            self._status_due_ns = now_ns + _STATUS_EVERY_NS
            self._tell_how_it_goes(now_ns)
        if self._notifier.watchdog_ns and now_ns >= self._feed_due_ns:
            self._feed_due_ns = now_ns + self._notifier.watchdog_ns // _FEEDS_A_PERIOD
            self._feed(now_ns)

    def reloading(self) -> None:
        """A reload begins."""
        if self._is_ready:  # else its end would be taken for the start's
            self._notifier.reloading()

    def reloaded(self, fault: str = "") -> None:
        """A reload is over; ``fault`` is why it changed nothing."""
        self._fault = f"not reloaded: {fault}; " if fault else ""
        self._status_due_ns = 0
        if self._is_ready:
            self._is_ready = self._notifier.ready()

    def stopping(self) -> None:
        """The end begins."""
        self._is_stopping = True
        self._notifier.stopping()
        self._notifier.status("stopping")

    def _tell_how_it_goes(self, now_ns: int) -> None:
        standings = [self._standing_of(stream, now_ns) for stream in self._streams]
        status = self._fault + status_line(standings)
        if status != self._status:
            self._status = status
            self._notifier.status(status)
        if not self._is_ready and self._control_beats(now_ns):
            self._is_ready = is_any_settled(standings) and self._notifier.ready()

    def _standing_of(self, stream: Stream, now_ns: int) -> StreamStanding:
        if not stream.plan.enabled:
            return StreamStanding(stream.name, Standing.STOPPED)
        ingest, worker = self._board.page(stream.pages.ingest), None
        if stream.ingest in self._workers:
            worker = self._workers[stream.ingest].state
        return StreamStanding(stream.name, *standing_of(ingest, worker, now_ns))

    def _feed(self, now_ns: int) -> None:
        is_lost = now_ns - self._control_beat_ns > CONTROL_LOST_NS
        # Before that and after it, systemd has other deadlines.
        if not is_lost or not self._is_ready or self._is_stopping:
            self._notifier.alive()

    def _control_beats(self, now_ns: int) -> bool:
        if CONTROL not in self._workers:
            return False
        control = self._workers[CONTROL]
        alive_until_ns = control.page.words[WorkerWord.ALIVE_UNTIL_NS]
        is_up = control.state is WorkerState.UP
        return is_up and not is_overdue(alive_until_ns, now_ns)
