"""What comes into a ring, for those who sleep in the event loop until it does."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from ooblexd.ring import RingSpec, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.commands import AttachReader
    from ooblexd.ring import Lent, RingReader


class RingTap:
    """Has one ring emptied whenever something comes, while it is open.

    Args:
        drain: Takes what is there out of the ring; must not block.

    Attributes:
        reader: Of the ring; None until one is attached.
    """

    def __init__(self, drain: Callable[[RingReader], None]) -> None:
        self.reader: RingReader | None = None
        self._take_out = drain
        self._wake_fd = -1
        self._is_open = False
        self._is_armed = False

    def attach(self, message: AttachReader, segment: int, wake_fd: int) -> None:
        """Read a new segment from now on, after what the former one had shown.

        Raises:
            RingError: It is not the ring that the message describes.
        """
        spec = RingSpec(
            slots=message.slots,
            slot_bytes=message.slot_bytes,
            readers=message.readers,
            history=message.history,
        )
        try:
            reader = open_reader(segment, spec, message.place, wake_fd)
        finally:
            os.close(segment)
        if self.reader is not None:
            reader.resume(self.reader.seen)
        self.close()
        self.reader, self._wake_fd = reader, wake_fd
        self._arm()

    def open(self) -> None:
        """Have the ring emptied, now and from now on."""
        self._is_open = True
        self._arm()

    def pass_over(self, note: Callable[[Lent], None] | None = None) -> None:
        """Leave out what is there.

        Args:
            note: Told of each slot nevertheless.
        """
        while self.reader is not None and (lent := self.reader.next()) is not None:
            with lent:
                if note is not None:
                    note(lent)

    def shut(self) -> None:
        """Leave the ring alone."""
        self._is_open = False

    def close(self) -> None:
        """Give the ring back; another may be attached."""
        self._disarm()
        if self.reader is not None:
            self.reader.close()
            os.close(self._wake_fd)
            self.reader, self._wake_fd = None, -1

    def _arm(self) -> None:
        if self.reader is None or not self._is_open:
            return
        if not self._is_armed:
            asyncio.get_running_loop().add_reader(self._wake_fd, self._on_wake)
            self._is_armed = True
        self._drain()

    def _disarm(self) -> None:
        if self._is_armed:
            asyncio.get_running_loop().remove_reader(self._wake_fd)
            self._is_armed = False

    def _on_wake(self) -> None:
        assert self.reader is not None
        self.reader.drain_wake()
        if self._is_open:
            self._drain()
        else:
            self._disarm()

    def _drain(self) -> None:
        assert self.reader is not None
        self._take_out(self.reader)
        while not self.reader.prepare_wait():
            self._take_out(self.reader)


def in_order(take: Callable[[Lent], None]) -> Callable[[RingReader], None]:
    """Return what empties a ring slot by slot.

    Args:
        take: Told of each slot that is lent; must not block.
    """

    def drain(reader: RingReader) -> None:
        while (lent := reader.next()) is not None:
            with lent:
                take(lent)

    return drain
