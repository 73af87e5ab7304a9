"""Step 0, for streams whose pictures clients send: requests into the ring of uploads.

Control writes the files as they came and looks into none of them: that is for ingest,
which may die of one. One `Intake` a stream holds the writing end of its ring and the
limits of what may come in; the ring begins small and grows with the first picture that
does not fit, as all rings do.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S
from ooblexd.commands import NeedSlots, RingKind
from ooblexd.control.problems import ProblemError
from ooblexd.frame import HEADER_BYTES, FrameHeader, PixelFormat
from ooblexd.ring import RingSpec, open_writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.commands import AttachWriter
    from ooblexd.ring import RingWriter

MAX_PICTURE_BYTES = 16 << 20
DEFAULT_MAX_FPS = 60.0
# A megabyte costs control 1.7 ms, and all viewers wait for control.
MAX_BYTES_A_SECOND = 64 << 20
_BURST_S = 0.25  # clients keep time badly: so much may come at once
_GROW_WITHIN_S = 2.0


class RateLimit:
    """How often something may happen: at a rate, and a little unevenly.

    A schedule of turns, each an interval after the one before; who comes a quarter of a
    second before the turn is let in (GCRA, ITU-T I.371, as for cells of ATM).
    """

    def __init__(self) -> None:
        self._due_ns = 0

    def wait_ns(self, rate_hz: float, now_ns: int) -> int:
        """Take a turn and return 0, or return how long there is none.

        Args:
            rate_hz: Turns a second.
            now_ns: The monotonic clock.
        """
        interval_ns = int(NS_PER_S / rate_hz)
        early_ns = max(int(_BURST_S * NS_PER_S), interval_ns // 10)
        due_ns = max(self._due_ns, now_ns)
        if due_ns - now_ns > early_ns:
            return due_ns - now_ns - early_ns
        self._due_ns = due_ns + interval_ns
        return 0

    def put_off(self, by_ns: int) -> None:
        """Move the next turn by ``by_ns``: the last one cost more than a turn."""
        self._due_ns += by_ns


class Intake:
    """The writing end of a stream's ring of uploads.

    Args:
        stream: Its name.

    Attributes:
        limit: How often pictures may come.
        arriving: Requests whose pictures are on their way.
    """

    def __init__(self, stream: str) -> None:
        self.limit = RateLimit()
        self.arriving = 0
        self._stream = stream
        self._ring: RingWriter | None = None
        self._slot_bytes = 0
        self._wake_fds: list[int] = []
        self._refusal = ""
        self._change = asyncio.Event()

    def attach(self, message: AttachWriter, fds: list[int]) -> None:
        """Write this ring from now on; the descriptors are the intake's now.

        Raises:
            RingError: It is not the ring that the message describes.
        """
        segment, *wake_fds = fds
        spec = RingSpec(
            slots=message.slots,
            slot_bytes=message.slot_bytes,
            readers=message.readers,
            history=message.history,
        )
        self._detach()
        self._wake_fds = wake_fds
        try:
            self._ring = open_writer(segment, spec, wake_fds, message.generation)
        finally:
            os.close(segment)
        self._slot_bytes = spec.slot_bytes
        self._tell_waiting()

    def refuse(self, reason: str) -> None:
        """There is no memory for larger pictures."""
        self._refusal = reason
        self._tell_waiting()

    def close(self) -> None:
        """Give the ring back."""
        self._detach()
        self._tell_waiting()

    async def put(
        self, picture: bytes, capture_ns: int, ask: Callable[[NeedSlots], None]
    ) -> None:
        """Make ``picture`` the newest of the stream.

        Args:
            picture: A file as it was sent.
            capture_ns: Monotonic time at which its last byte came.
            ask: Asks the supervisor for larger slots.

        Raises:
            ProblemError: 507 where there is no memory for it, 503 where the stream
                has just changed or the supervisor does not answer.
        """
        needed_bytes = HEADER_BYTES + len(picture)
        if needed_bytes > self._slot_bytes and self._ring is not None:
            await self._await_slots(needed_bytes, ask)
        ring = self._ring
        if ring is None or needed_bytes > self._slot_bytes:
            detail = f"{self._stream} cannot take pictures at this moment; try again"
            raise ProblemError(503, detail)
        loan = ring.loan()
        loan.memory[HEADER_BYTES:needed_bytes] = picture
        FrameHeader(
            sequence=ring.sequence + 1,
            width=0,
            height=0,
            capture_ns=capture_ns,
            generation=ring.generation,
            payload_bytes=len(picture),
            pixel_format=PixelFormat.FILE,
        ).pack_into(loan.memory)
        ring.publish(loan)

    async def _await_slots(
        self, needed_bytes: int, ask: Callable[[NeedSlots], None]
    ) -> None:
        self._refusal = ""
        try:
            ask(NeedSlots(self._stream, RingKind.UPLOADED.value, needed_bytes))
        except OSError:  # the supervisor does not read
            return
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _GROW_WITHIN_S
        while self._ring is not None and self._slot_bytes < needed_bytes:
            if self._refusal:
                raise ProblemError(507, f"{self._stream}: {self._refusal}")
            left_s = until_s - loop.time()
            try:
                await asyncio.wait_for(self._change.wait(), max(left_s, 0))
            except asyncio.TimeoutError:
                return

    def _tell_waiting(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    def _detach(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        for fd in self._wake_fds:
            os.close(fd)
        self._wake_fds = []
