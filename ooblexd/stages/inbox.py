"""Uploads on their way from the ring that control writes to the source that decodes.

The ring is read by the loop's thread, which its eventfd wakes; the source waits in the
pump's. Between the two lies one place: a picture that was not taken in time is passed
over for a newer one.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ooblexd.clock import monotonic_ns
from ooblexd.counters import DropReason, StageCounters, StageWord
from ooblexd.frame import HEADER_BYTES, unpack_header
from ooblexd.sources.upload import Upload
from ooblexd.stages.attachment import ReaderEnd

if TYPE_CHECKING:
    from ooblexd.commands import AttachReader


class Inbox:
    """A `ooblexd.sources.upload.Inbox` of one pump.

    Args:
        counters: Of ingest, which the pump's thread writes.
    """

    def __init__(self, counters: StageCounters) -> None:
        self._counters = counters
        self._change = threading.Condition()
        self._upload: Upload | None = None
        self._passed = 0
        self._is_closed = False

    def put(self, upload: Upload, passed: int) -> None:
        """Make ``upload`` the newest; ``passed`` more were lost before it."""
        with self._change:
            self._passed += passed + (self._upload is not None)
            self._upload = upload
            self._change.notify()

    def take(self, within_s: float) -> Upload | None:
        """Return the newest upload, waiting for one; None if none came."""
        with self._change:
            self._change.wait_for(self._has_news, within_s)
            upload, self._upload = self._upload, None
            passed, self._passed = self._passed, 0
        self._counters.add(StageWord.FRAMES_IN, passed)
        self._counters.drop(DropReason.PASSED_OVER, passed)
        return upload

    def close(self) -> None:
        """Let nobody wait here any longer."""
        with self._change:
            self._is_closed = True
            self._change.notify()

    def _has_news(self) -> bool:
        return self._upload is not None or self._is_closed


class UploadRing:
    """The reading end of a stream's ring of uploads, for the loop's thread.

    What was uploaded before this worker began is not taken: it may be what ended the
    worker before it.
    """

    def __init__(self) -> None:
        self._began_ns = monotonic_ns()
        self._end: ReaderEnd | None = None
        self._inbox: Inbox | None = None

    @property
    def wake_fds(self) -> tuple[int, ...]:
        """What becomes readable when there is something to take."""
        return () if self._end is None else (self._end.wake_fd,)

    @property
    def is_attached(self) -> bool:
        """Whether there is a ring."""
        return self._end is not None

    def attach(self, message: AttachReader, fds: list[int]) -> None:
        """Read this ring from now on."""
        self._end = ReaderEnd(message, fds, self._end)

    def open_inbox(self, counters: StageCounters) -> Inbox:
        """Return where the uploads arrive from now on; the former inbox is closed."""
        self.close_inbox()
        self._inbox = Inbox(counters)
        return self._inbox

    def close_inbox(self) -> None:
        """Let uploads lie until there is an inbox again."""
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    def drain(self) -> None:
        """Take the newest upload out of the ring, and wait for the next."""
        if self._end is None or self._inbox is None:
            return
        ring = self._end.ring
        ring.drain_wake()
        is_drained = False
        while not is_drained:
            lent = ring.newest()
            if lent is not None:
                with lent:
                    self._deliver(lent.memory, lent.passed)
            is_drained = ring.prepare_wait()

    def detach(self) -> None:
        """Unmap the ring."""
        self.close_inbox()
        if self._end is not None:
            self._end.close()
            self._end = None

    def _deliver(self, memory: memoryview, passed: int) -> None:
        assert self._inbox is not None
        header = unpack_header(memory)
        if header.capture_ns < self._began_ns:
            return
        data = bytes(memory[HEADER_BYTES : HEADER_BYTES + header.payload_bytes])
        self._inbox.put(Upload(data, header.capture_ns), passed)
