"""iceoryx2: shared memory without a copy, a buffer of one that overflows, an event."""

from __future__ import annotations

import ctypes
import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.peers import peer_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from tests.support.transports import Picture


class Iceoryx2:
    """One publisher, one subscriber; what is newest replaces what was not taken.

    The picture is copied by ``memmove`` to the bare address of a sample, which is less
    than any view of it costs.
    """

    def __init__(self, picture_bytes: int) -> None:
        self._picture_bytes = picture_bytes
        self._prefix = f"bench-{secrets.token_hex(4)}-"

    def __enter__(self) -> Self:
        self._iceoryx2 = peer_module("iceoryx2", "iceoryx2")
        self._iceoryx2.set_log_level(self._iceoryx2.LogLevel.Error)
        self._folder = tempfile.TemporaryDirectory(prefix="iceoryx2-")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
        for left in Path("/dev/shm").glob(f"{self._prefix}*"):  # noqa: S108 # its place
            left.unlink()

    @contextmanager
    def sender(self) -> Iterator[Callable[[Picture], None]]:
        """Copy into the loaned sample, then notify."""
        node = self._node()
        publisher = (
            self._pictures(node)
            .publisher_builder()
            .initial_max_slice_len(self._picture_bytes)
            .max_loaned_samples(1)
            .create()
        )
        notifier = self._events(node).notifier_builder().create()

        def send(picture: Picture) -> None:
            sample = publisher.loan_slice_uninit(picture.nbytes)
            ctypes.memmove(sample.payload_ptr, picture.ctypes.data, picture.nbytes)
            sample.assume_init().send()
            notifier.notify()

        yield send

    @contextmanager
    def receiver(self) -> Iterator[Callable[[Picture], None]]:
        """Wait for the event, then copy out of the sample."""
        node = self._node()
        subscriber = self._pictures(node).subscriber_builder().create()
        listener = self._events(node).listener_builder().create()

        def receive(picture: Picture) -> None:
            while (sample := subscriber.receive()) is None:
                listener.blocking_wait()
            ctypes.memmove(picture.ctypes.data, sample.payload_ptr, picture.nbytes)
            sample.delete()

        yield receive

    def _node(self) -> Any:
        iceoryx2 = self._iceoryx2
        config = iceoryx2.config.default()
        config.global_cfg.prefix = iceoryx2.FileName.new(self._prefix)
        config.global_cfg.root_path = iceoryx2.Path.new(self._folder.name)
        return (
            iceoryx2.NodeBuilder.new().config(config).create(iceoryx2.ServiceType.Ipc)
        )

    def _pictures(self, node: Any) -> Any:
        iceoryx2 = self._iceoryx2
        return (
            node.service_builder(iceoryx2.ServiceName.new("pictures"))
            .publish_subscribe(iceoryx2.Slice[ctypes.c_uint8])
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(1)
            .enable_safe_overflow(True)
            .open_or_create()
        )

    def _events(self, node: Any) -> Any:
        name = self._iceoryx2.ServiceName.new("pictures")
        return node.service_builder(name).event().open_or_create()
