"""What output reads off the board: what is required, and how the source is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S
from ooblexd.counters import SourceState, StageWord, StreamWord
from ooblexd.heartbeat import WorkerState, WorkerWord

if TYPE_CHECKING:
    from ooblexd.board import Board
    from ooblexd.commands import ConfigureStream

_SILENT_NS = 3 * NS_PER_S


class Words(NamedTuple):
    """What a slate says."""

    title: str
    reason: str


class Surroundings:
    """The pages around one output worker; it writes none of them."""

    def __init__(self, board: Board, message: ConfigureStream) -> None:
        self._stream = board.page(message.stream_page).words
        self._ingest = board.page(message.ingest_page)
        self._ingest_worker = board.page(message.ingest_worker_page).words

    def required_revision(self) -> int:
        """Return what a picture must have passed to be shown."""
        return self._stream[StreamWord.REQUIRED_REVISION]

    def is_source_down(self, now_ns: int) -> bool:
        """Say whether ingest cannot deliver, by its own word or by its silence."""
        if self._ingest_worker[WorkerWord.STATE] != WorkerState.UP:
            return True
        if self._ingest.words[StageWord.STATE] != SourceState.RUNNING:
            return True
        return now_ns - self._ingest.words[StageWord.LAST_FRAME_NS] > _SILENT_NS

    def slate(self, now_ns: int) -> Words:
        """Return the words that tell a viewer what is wrong with the source."""
        worker = self._ingest_worker[WorkerWord.STATE]
        if worker == WorkerState.GIVEN_UP:
            return Words("out of order", "the ingest worker dies again and again")
        if worker not in (WorkerState.UP, WorkerState.STARTING):
            return Words("one moment", "the ingest worker is being replaced")
        state = self._ingest.words[StageWord.STATE]
        if state == SourceState.DOWN:
            return Words("no picture", self._ingest.read_text())
        if state == SourceState.WAITING:
            return Words("waiting", self._ingest.read_text())
        last_ns = self._ingest.words[StageWord.LAST_FRAME_NS]
        if worker == WorkerState.UP and last_ns:
            silent_s = (now_ns - last_ns) // NS_PER_S
            return Words("no picture", f"the source delivers nothing for {silent_s} s")
        return Words("one moment", "connecting to the source")
