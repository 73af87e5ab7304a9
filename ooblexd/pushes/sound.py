"""The sound that goes along with one push.

It is written behind each picture, up to what has been heard by then, and silence where
nothing is: FFmpeg, which sorts both by time, keeps a picture until there is sound of a
later time, and must not keep it for longer than until the next picture.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from ooblexd.aac import shape_of
from ooblexd.audio import AudioCodec
from ooblexd.audio_line import AudioLine, AudioPiece, AudioShape
from ooblexd.clock import NS_PER_S, monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.audio import AudioPacket

SILENT = AudioShape(44_100, 2)
"""A track in which nothing is heard, of a source without sound."""

_OPUS = AudioShape(48_000, 2)  # as every track of it is named (RFC 7587, 7)

_MOST_WAITING = 256  # packets
_KNOWN_NS = 2 * NS_PER_S  # a source that was heard so long ago has sound
_AHEAD = 2  # packets of silence; the picture waits for what is later than it


class PushedSound:
    """What one push hears; given by the loop, taken by the thread of the push.

    Args:
        codec: As what it goes; None where none does.
        may_hear: Says whether sound may be sent at this very moment.

    Attributes:
        codec: As given.
        may_hear: As given.
    """

    def __init__(
        self, codec: AudioCodec | None, may_hear: Callable[[AudioPacket], bool]
    ) -> None:
        self.codec = codec
        self.may_hear = may_hear
        self._lock = threading.Lock()
        self._packets: deque[AudioPacket] = deque(maxlen=_MOST_WAITING)
        self._heard_ns = -_KNOWN_NS
        self._shape: AudioShape | None = None
        self._line: AudioLine | None = None
        self._origin_ns = 0

    @property
    def shape(self) -> AudioShape | None:
        """What the sound of now is like; None where there is none."""
        with self._lock:
            is_heard = monotonic_ns() - self._heard_ns < _KNOWN_NS
            return self._shape if is_heard else None

    def put(self, packet: AudioPacket) -> None:
        """Take a packet of `codec`; AAC is plain."""
        is_aac = self.codec is AudioCodec.AAC
        with self._lock:
            self._heard_ns = monotonic_ns()
            self._shape = AudioShape(*shape_of(packet.setup)) if is_aac else _OPUS
            self._packets.append(packet)

    def take(self) -> deque[AudioPacket]:
        """Return what has come since the last call."""
        with self._lock:
            packets, self._packets = self._packets, deque(maxlen=_MOST_WAITING)
        return packets

    def begin(self, shape: AudioShape, origin_ns: int) -> None:
        """Begin a track with the picture of this time."""
        self._line = AudioLine(shape, origin_ns)
        self._origin_ns = origin_ns

    def pieces(self, picture_ns: int) -> Iterator[AudioPiece]:
        """Yield the AAC there is behind a picture, if it may be sent at its turn."""
        line = self._line
        assert line is not None, "a track has begun"
        for packet in self.take():
            is_fitting = shape_of(packet.setup) == line.shape
            is_in_time = packet.at_ns >= self._origin_ns
            if is_fitting and is_in_time and self.may_hear(packet):
                yield from line.put(packet)
        yield from line.reach(picture_ns + _AHEAD * line.piece_ns)
