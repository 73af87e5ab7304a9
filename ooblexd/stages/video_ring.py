"""H.264 for those whom control serves, picture by picture, in their order.

The ring has a history: who muxes needs every picture, and one that comes too late to
its turn begins anew with a keyframe.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ooblexd.clock import NS_PER_S
from ooblexd.commands import RingKind
from ooblexd.encoders.video import RATE_HZ, VideoCodec
from ooblexd.frame import PixelFormat
from ooblexd.stages.encoded_ring import EncodedRing
from ooblexd.webrtc.exchange import Wishes

if TYPE_CHECKING:
    from ooblexd.stages.context import StageContext
    from ooblexd.stages.demand import Demand
    from ooblexd.webrtc.exchange import EncodedUnit


class VideoRing(EncodedRing):
    """The video ring of one stream, and what its reader wants.

    Attributes:
        wishes: Those of control, for all whom it serves.
    """

    def __init__(self, context: StageContext) -> None:
        super().__init__(context, RingKind.VIDEO)
        self.wishes = Wishes()
        self._keyframes_asked = 0
        self._is_in_step = False  # what comes next refers only to what went in

    def heed(self, demand: Demand, now_ns: int) -> None:
        """Read what control wants now."""
        is_wanted = self.is_attached and demand.wants_video(now_ns)
        self.wishes.codecs = frozenset({VideoCodec.H264} if is_wanted else ())
        asked = demand.keyframes_asked
        if is_wanted and (asked != self._keyframes_asked or not self._is_in_step):
            self.wishes.want_keyframe(VideoCodec.H264)
        self._keyframes_asked = asked
        self._is_in_step = self._is_in_step and is_wanted

    def deliver(self, codec: VideoCodec, unit: EncodedUnit) -> None:
        """Put a picture into the ring; one that refers to what is not in it, is not."""
        assert codec is VideoCodec.H264, "nothing else is wanted"
        packet = unit.packet
        if not self._is_in_step and not packet.is_keyframe:
            return
        assert packet.pts is not None, "our encoder gives each picture its time"
        header = replace(
            unit.header,
            pixel_format=PixelFormat.H264,
            is_keyframe=packet.is_keyframe,
            pts_ns=packet.pts * NS_PER_S // RATE_HZ,
        )
        payload = np.frombuffer(memoryview(packet), np.uint8)
        self._is_in_step = self.publish(header, payload)
