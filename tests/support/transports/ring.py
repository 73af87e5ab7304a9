"""Our own ring, as the stages use it: slots mapped once, an eventfd to wake."""

from __future__ import annotations

import os
import select
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ooblexd.ring import RingSpec, create_segment, open_reader, open_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from tests.support.transports import Picture


class Ring:
    """A ring of one reader, on which only the newest frame counts."""

    def __init__(self, picture_bytes: int) -> None:
        self._spec = RingSpec.newest_only(slot_bytes=picture_bytes, readers=1)

    def __enter__(self) -> Self:
        self._segment = create_segment(self._spec)
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK)
        return self

    def __exit__(self, *_: object) -> None:
        self._segment.close()
        os.close(self._wake_fd)

    @contextmanager
    def sender(self) -> Iterator[Callable[[Picture], None]]:
        """Copy into the loaned slot."""
        writer = open_writer(self._segment.fd, self._spec, [self._wake_fd], 0)

        def send(picture: Picture) -> None:
            loan = writer.loan()
            np.copyto(np.frombuffer(loan.memory, np.uint8), picture)
            writer.publish(loan)

        yield send
        writer.close()

    @contextmanager
    def receiver(self) -> Iterator[Callable[[Picture], None]]:
        """Copy out of the lent slot."""
        reader = open_reader(self._segment.fd, self._spec, 0, self._wake_fd)
        poll = select.poll()
        poll.register(self._wake_fd, select.POLLIN)

        def receive(picture: Picture) -> None:
            while (lent := reader.newest()) is None:
                if reader.prepare_wait():
                    poll.poll()
                    reader.drain_wake()
            with lent:
                np.copyto(picture, np.frombuffer(lent.memory, np.uint8))

        yield receive
        reader.close()
