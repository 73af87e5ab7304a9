"""What passes between the thread of the peers and those that encode or decode.

It loads nothing heavy: they need not wait until the library is there.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import av

    from ooblexd.encoders.video import VideoCodec
    from ooblexd.frame import FrameHeader
    from ooblexd.signalling import PeerWish


class EncodedUnit(NamedTuple):
    """A picture as output encoded it for all viewers of a codec.

    Attributes:
        header: Its ledger and verdict.
        packet: Whole, with its own parameter sets where it is a keyframe.
    """

    header: FrameHeader
    packet: av.Packet[av.VideoStream]


class ReceivedUnit(NamedTuple):
    """A picture as a publisher has sent it.

    Attributes:
        publisher: Who; each has pictures, and a clock, of its own.
        codec: Of the picture.
        data: The whole of it: H.264 with start codes (Annex B), or a frame of VP8.
        rtp_time: In 1/90000 s, without the overflow of RTP.
        arrival_ns: Monotonic time at which its last packet came.
        is_after_gap: Something that came before it was lost.
    """

    publisher: str
    codec: VideoCodec
    data: bytes
    rtp_time: int
    arrival_ns: int
    is_after_gap: bool


class ReceivedSound(NamedTuple):
    """A packet of Opus as a publisher has sent it.

    Attributes:
        publisher: Who.
        data: The packet.
        rtp_time: In 1/48000 s, without the overflow of RTP.
        arrival_ns: Monotonic time at which it came.
    """

    publisher: str
    data: bytes
    rtp_time: int
    arrival_ns: int


class Wishes:
    """What the viewers want of the encoders.

    Written in the peers' thread and read in the one that encodes; each attribute is
    replaced whole.

    Attributes:
        viewers: How many are there.
        codecs: What they decode.
        listens: Whether they want sound.
        sent: Pictures that were sent to viewers, in this life of the worker.
        dropped: Pictures that a viewer who watched already was not sent.
        asked: What viewers ask of control, by data channels; each end by one thread.
        estimate: The bit rate that they can receive, as far as one for all can be said
            (`webrtc.estimates`); 0 where nobody has said so.
    """

    def __init__(self) -> None:
        self.viewers = 0
        self.codecs: frozenset[VideoCodec] = frozenset()
        self.estimate = 0
        self.sent = 0
        self.dropped = 0
        self.asked: deque[PeerWish] = deque()
        self.listens = False
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


class Reception(NamedTuple):
    """Where what is published goes; all are called in the publishers' thread.

    Attributes:
        on_unit: Called with each picture.
        on_sound: Called with each packet of sound.
        on_publisher: Called with who publishes now; empty for nobody.
    """

    on_unit: Callable[[ReceivedUnit], None]
    on_sound: Callable[[ReceivedSound], None]
    on_publisher: Callable[[str], None]


class Return(NamedTuple):
    """What goes back to who publishes, over the same connection.

    Attributes:
        wishes: Where it is written what it wants.
        may_show: Says whether a picture may be sent at this very moment.
    """

    wishes: Wishes
    may_show: Callable[[FrameHeader], bool]
