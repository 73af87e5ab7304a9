"""What passes between the thread that encodes and the thread of the peers.

It loads nothing heavy: who encodes need not wait until the library is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import av

    from ooblexd.encoders.video import VideoCodec
    from ooblexd.frame import FrameHeader


class EncodedUnit(NamedTuple):
    """A picture as output encoded it for all viewers of a codec.

    Attributes:
        header: Its ledger and verdict.
        packet: Whole, with its own parameter sets where it is a keyframe.
    """

    header: FrameHeader
    packet: av.Packet[av.VideoStream]


class Wishes:
    """What the viewers want of the encoders.

    Written in the peers' thread and read in the one that encodes; each attribute is
    replaced whole.

    Attributes:
        viewers: How many are there.
        codecs: What they decode.
        estimate: The least of the bit rates that they think they can receive; 0 where
            nobody has said so.
    """

    def __init__(self) -> None:
        self.viewers = 0
        self.codecs: frozenset[VideoCodec] = frozenset()
        self.estimate = 0
        self._keyframes: set[VideoCodec] = set()

    def want_keyframe(self, codec: VideoCodec) -> None:
        """Have the next picture be one that can be decoded by itself."""
        self._keyframes.add(codec)

    def wants_keyframe(self, codec: VideoCodec) -> bool:
        """Say whether somebody waits for one."""
        return codec in self._keyframes

    def keyframe_made(self, codec: VideoCodec) -> None:
        """Note that one is on its way to all."""
        self._keyframes.discard(codec)
