"""Sound beside the pictures that one viewer pulls, muxed apart from them.

FFmpeg's muxers hold a picture until the sound of its moment is there, or does not come.
With a muxer for each no picture waits for anything: players sort by time themselves.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ooblexd.aac import shape_of
from ooblexd.audio_line import AudioLine, AudioShape
from ooblexd.control.outlet import Sounding
from ooblexd.errors import MuxerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ooblexd.audio import AudioPacket
    from ooblexd.audio_line import AudioPiece
    from ooblexd.control.audio_feed import AudioFeed
    from ooblexd.muxer import AudioMuxer

logger = logging.getLogger(__name__)


class PulledSound:
    """The track of sound of one viewer, from the first picture on.

    Args:
        feed: Told of packets that cannot be muxed; they are left out.
        muxer: New.
        shape: What the sound is like.
        origin_ns: When the first picture is shown.
        dress: Makes of what the muxer gives what is sent.

    Attributes:
        head: What the muxer says before the first packet.
    """

    def __init__(
        self,
        feed: AudioFeed,
        muxer: AudioMuxer,
        shape: AudioShape,
        origin_ns: int,
        dress: Callable[[bytes], bytes],
    ) -> None:
        self.head = muxer.head()
        self._feed = feed
        self._muxer = muxer
        self._line = AudioLine(shape, origin_ns)
        self._origin_ns = origin_ns
        self._dress = dress
        self._held: AudioPiece | None = None  # in the muxer

    def is_like(self, packet: AudioPacket) -> bool:
        """Say whether a packet of AAC fits into the track."""
        return shape_of(packet.setup) == self._line.shape

    def put(self, packet: AudioPacket) -> list[Sounding]:
        """Return what is to be sent by a packet."""
        if packet.at_ns < self._origin_ns:
            return []
        return self._mux(self._line.put(packet))

    def reach(self, picture_ns: int) -> list[Sounding]:
        """Return what is to be sent by a picture: silence, where nothing is heard."""
        return self._mux(self._line.reach(picture_ns))

    def close(self) -> None:
        """Give back the muxer."""
        try:
            self._muxer.close()
        except MuxerError:
            logger.debug("a muxer that failed is closed", exc_info=True)

    def _mux(self, pieces: Iterable[AudioPiece]) -> list[Sounding]:
        made = []
        for piece in pieces:
            try:
                data = self._dress(self._muxer.mux(piece.data, piece.samples))
            except MuxerError as error:
                self._feed.leave_out(error)
                continue
            held, self._held = self._held, piece
            if held is not None and data:  # a chunk of nothing would be the end
                made.append(Sounding(held.revision, data))
        return made
