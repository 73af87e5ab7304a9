"""ZeroMQ over a unix socket with ``CONFLATE``: one message at each end, the newest."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from tests.support.peers import peer_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from tests.support.transports import Picture


class ZeroMq:
    """PUSH and PULL, neither of which copies what Python has allocated."""

    def __init__(self, picture_bytes: int) -> None:
        del picture_bytes

    def __enter__(self) -> Self:
        self._zmq = peer_module("zeromq", "zmq")
        self._folder = tempfile.TemporaryDirectory(prefix="zeromq-")
        self._address = f"ipc://{self._folder.name}/socket"
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @contextmanager
    def sender(self) -> Iterator[Callable[[Picture], None]]:
        """Copy into an object that ZeroMQ's thread may write later."""
        zmq = self._zmq
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.setsockopt(zmq.CONFLATE, 1)
            socket.connect(self._address)
            yield lambda picture: socket.send(picture.tobytes(), copy=False)

    @contextmanager
    def receiver(self) -> Iterator[Callable[[Picture], None]]:
        """Copy out of the message that ZeroMQ's thread has read."""
        zmq = self._zmq
        with zmq.Context() as context, context.socket(zmq.PULL) as socket:
            socket.setsockopt(zmq.CONFLATE, 1)
            socket.bind(self._address)

            def receive(picture: Picture) -> None:
                frame = socket.recv(copy=False)
                np.copyto(picture, np.frombuffer(frame.buffer, np.uint8))

            yield receive
