"""Sound out of the audio rings, packet by packet, to everybody who muxes it.

Who wants AAC gets that: as the source has it, or encoded once for all of them. That
takes 0.3 ms a packet, in a thread, which is there while it is needed.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ooblexd.aac import shape_of
from ooblexd.audio import AudioCodec, unpack_audio
from ooblexd.audio_line import AudioShape
from ooblexd.clock import monotonic_ns
from ooblexd.control.ring_tap import RingTap, in_order
from ooblexd.errors import EncoderError, MuxerError
from ooblexd.reminders import Reminders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.audio import AudioPacket
    from ooblexd.commands import AttachReader
    from ooblexd.control.readings import StreamPages
    from ooblexd.encoders.sound import SoundEncoder
    from ooblexd.ring import Lent

logger = logging.getLogger(__name__)

_MOST_ENCODED = 50  # packets that wait for the thread, should it not keep up
_ENCODED_SHAPE = AudioShape(48_000, 2)


class Listener(Protocol):
    """One who takes every packet of sound."""

    def hear(self, packet: AudioPacket) -> None:
        """Take a packet, in the event loop; must not block."""


class AudioFeed:
    """The sound of one stream, and who takes it.

    Args:
        name: Of the stream.

    Attributes:
        pages: Where the stream's numbers stand; None until the supervisor has said so.
    """

    def __init__(self, name: str) -> None:
        self.pages: StreamPages | None = None
        self._name = name
        self._tap = RingTap(in_order(self._hand_on))
        self._listeners: set[Listener] = set()
        self._of_aac: set[Listener] = set()
        self._newest: AudioPacket | None = None
        self._reminders = Reminders()
        self._encoding: _Encoding | None = None

    @property
    def required_revision(self) -> int:
        """What sound must have passed to be heard now."""
        return self.pages.required_revision if self.pages else 1 << 62

    def attach(self, message: AttachReader, segment: int, wake_fd: int) -> None:
        """Read a new segment from now on.

        Raises:
            RingError: It is not the ring that the message describes.
        """
        self._tap.attach(message, segment, wake_fd)

    @property
    def aac_shape(self) -> AudioShape | None:
        """What the AAC of this stream is like; None where there never was any.

        To be asked by one who has `joined`. Whether it may be heard now is not said:
        who muxes has a track that is silent meanwhile, since none can be added later.
        """
        newest = self._newest
        if newest is None:
            return None
        if newest.is_plain_aac:
            return AudioShape(*shape_of(newest.setup))
        return _ENCODED_SHAPE

    def leave_out(self, error: MuxerError) -> None:
        """Take note that a container has no place for a packet; the log says so."""
        if self._reminders.due(str(error), monotonic_ns()):
            logger.warning("[stream %s] sound is left out: %s", self._name, error)

    @contextmanager
    def joined(self, listener: Listener, *, as_aac: bool) -> Iterator[None]:
        """Have ``listener`` get every packet that comes.

        Args:
            listener: In the event loop.
            as_aac: Each is to be plain AAC; else it is what the source has.
        """
        if not self._listeners and not self._of_aac:
            self._tap.pass_over(self._note)
        listeners = self._of_aac if as_aac else self._listeners
        listeners.add(listener)
        self._tap.open()
        try:
            yield
        finally:
            listeners.discard(listener)
            if not self._of_aac:
                self._end_encoding()
            if not self._listeners and not self._of_aac:
                self._tap.shut()

    def hear(self, packet: AudioPacket) -> None:
        """Hand on a packet to all who listen, if it may be heard."""
        self._newest = packet
        if not self._may_hear(packet):
            return  # heard before the configuration came to ask for more
        for listener in tuple(self._listeners):
            listener.hear(packet)
        if not self._of_aac:
            return
        if packet.is_plain_aac:
            self._hand_on_aac([packet])
            return
        self._encoding = self._encoding or _Encoding()
        self._encoding.take(packet, self._hand_on_aac)

    def close(self) -> None:
        """End, and give the ring back."""
        self._listeners.clear()
        self._of_aac.clear()
        self._end_encoding()
        self._tap.close()
        self.pages = None

    def _may_hear(self, packet: AudioPacket) -> bool:
        return packet.revision >= self.required_revision

    def _note(self, lent: Lent) -> None:
        self._newest = unpack_audio(lent.memory)

    def _hand_on(self, lent: Lent) -> None:
        self.hear(unpack_audio(lent.memory))

    def _hand_on_aac(self, packets: list[AudioPacket]) -> None:
        for packet in packets:
            if self._may_hear(packet):
                for listener in tuple(self._of_aac):
                    listener.hear(packet)

    def _end_encoding(self) -> None:
        encoding, self._encoding = self._encoding, None
        if encoding is not None:
            encoding.close()


class _Encoding:
    """Makes AAC of one stream's sound, in a thread of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "sound")
        self._encoder: SoundEncoder | None = None
        self._waiting = 0
        self._is_closed = False
        self._reminders = Reminders()

    def take(
        self, packet: AudioPacket, give: Callable[[list[AudioPacket]], None]
    ) -> None:
        """Have AAC given in the event loop, a moment later, in the order of this."""
        if self._waiting >= _MOST_ENCODED:
            return
        self._waiting += 1
        loop = asyncio.get_running_loop()
        made = loop.run_in_executor(self._thread, self._encode, packet)
        made.add_done_callback(lambda done: self._give(done, give))

    def close(self) -> None:
        """Encode nothing more."""
        self._is_closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _encode(self, packet: AudioPacket) -> list[AudioPacket]:
        from ooblexd.encoders.sound import SoundEncoder  # noqa: PLC0415 # PyAV

        self._encoder = self._encoder or SoundEncoder(AudioCodec.AAC)
        return self._encoder.take(packet)

    def _give(
        self,
        done: asyncio.Future[list[AudioPacket]],
        give: Callable[[list[AudioPacket]], None],
    ) -> None:
        self._waiting -= 1
        if done.cancelled():
            return
        error = done.exception()
        if error is None and not self._is_closed:
            give(done.result())
        elif isinstance(error, EncoderError):
            if self._reminders.due(str(error), monotonic_ns()):
                logger.warning("sound is left out: %s", error)
        elif error is not None:
            raise error
