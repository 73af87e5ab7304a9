"""Sound out of the audio ring into a timeline of its own, beside that of the pictures.

It is another rendition with its own playlist: in one file FFmpeg would hold pictures
back for it. Its times have the origin of the pictures, its discontinuities are theirs,
and it never lacks anything (`ooblexd.audio_line`): players wait for the slower of both.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from ooblexd.aac import shape_of
from ooblexd.audio_line import AudioLine, AudioShape
from ooblexd.clock import NS_PER_MS, NS_PER_S, unix_us
from ooblexd.control.hls.timeline import Fragment, Timeline
from ooblexd.control.muxing import open_audio_mp4
from ooblexd.errors import MuxerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ooblexd.audio import AudioPacket
    from ooblexd.audio_line import AudioPiece
    from ooblexd.control.audio_feed import AudioFeed
    from ooblexd.muxer import AudioMuxer

logger = logging.getLogger(__name__)

_CODECS = "mp4a.40.2"
_PART_NS = 200 * NS_PER_MS  # at most
_SEGMENT_NS = NS_PER_S
_FIRST_SEGMENT_NS = NS_PER_S // 2  # as that of the pictures
_RECENT = 64  # packets that come before the picture of their moment


class HlsSound:
    """The sound of one stream; a listener, told by the packager where pictures are.

    Args:
        feed: Whose sound; the packager joins it.
        first: The first number of a segment.
        on_change: Called when sound goes on as another kind: all must begin anew.

    Attributes:
        timeline: What there is to play.
    """

    def __init__(
        self, feed: AudioFeed, first: int, on_change: Callable[[], None]
    ) -> None:
        self.timeline = Timeline(first)
        self._feed = feed
        self._on_change = on_change
        self._recent: deque[AudioPacket] = deque(maxlen=_RECENT)
        self._origin_ns = self._from_ns = 0
        self._has_begun = False
        self._sequence = 0
        self._segment_ns = _FIRST_SEGMENT_NS
        self._shape: AudioShape | None = None  # as it was last
        self._line: AudioLine | None = None
        self._muxer: AudioMuxer | None = None
        self._init = b""  # until the timeline has it
        self._held: AudioPiece | None = None  # in the muxer

    @property
    def shape(self) -> AudioShape | None:
        """What it is like; None where there is nothing to play."""
        line = self._line
        return line.shape if line is not None and self.timeline.listed else None

    @property
    def is_pending(self) -> bool:
        """Whether there soon will be something: the source has sound."""
        return self._line is not None and not self.timeline.listed

    def begin(self, origin_ns: int, from_ns: int, sequence: int) -> None:
        """Begin anew with the picture of this time, and what was heard since.

        Args:
            origin_ns: When time is 0, on the clock of captures.
            from_ns: When the picture was captured.
            sequence: Of the pictures' discontinuity.
        """
        self.end()
        self._origin_ns, self._from_ns, self._sequence = origin_ns, from_ns, sequence
        self._has_begun = True
        # Who has been told of sound waits for it, heard or not.
        self._shape = self._shape or self._feed.aac_shape
        if self._shape is not None:
            self._open(self._shape)

    def hear(self, packet: AudioPacket) -> None:
        """Take a packet of AAC."""
        self._recent.append(packet)
        if not self._has_begun:
            return
        shape = AudioShape(*shape_of(packet.setup))
        if self._line is None:
            self._shape = shape
            self._open(shape)
        elif shape != self._line.shape:
            self._shape = shape
            self._on_change()
        else:
            self._put(self._line.put(packet))

    def reach(self, picture_ns: int) -> None:
        """Be silent up to a picture, where nothing is heard for long."""
        if self._line is not None:
            self._put(self._line.reach(picture_ns))

    def end(self) -> None:
        """End a discontinuity: the pictures have."""
        self._has_begun = False
        self._line = self._held = None
        muxer, self._muxer = self._muxer, None
        self.timeline.end_segment()
        if muxer is not None:
            try:
                muxer.close()
            except MuxerError:
                logger.debug("a muxer that failed is closed", exc_info=True)

    def withdraw(self) -> None:
        """Take out what may not be heard any more."""
        self.timeline.withdraw_below(self._feed.required_revision)

    def _open(self, shape: AudioShape) -> None:
        passed_ns = self._from_ns - self._origin_ns
        self._line = AudioLine(shape, self._origin_ns, passed_ns=passed_ns)
        self._muxer = open_audio_mp4(shape.rate_hz, shape.channels)
        self._init = self._muxer.head()
        since_ns = self._from_ns - self._line.piece_ns
        required = self._feed.required_revision
        for packet in self._recent:
            is_in_time = packet.at_ns > since_ns and packet.revision >= required
            if is_in_time and shape_of(packet.setup) == shape:
                self._put(self._line.put(packet))

    def _put(self, pieces: Iterable[AudioPiece]) -> None:
        for piece in pieces:
            assert self._muxer is not None, "it has a line"
            try:
                data = self._muxer.mux(piece.data, piece.samples)
            except MuxerError as error:
                self._feed.leave_out(error)
                continue
            held, self._held = self._held, piece
            if held is not None:
                self._add(held, data)

    def _add(self, piece: AudioPiece, data: bytes) -> None:
        line, timeline = self._line, self.timeline
        assert line is not None
        if self._init:
            timeline.begin(self._init, _CODECS, 0, 0, self._sequence)
            self._init = b""
            self._segment_ns = _FIRST_SEGMENT_NS
        if piece.revision < self._feed.required_revision:
            return
        if timeline.growing is None:
            at_ns = self._origin_ns + piece.samples * NS_PER_S // line.shape.rate_hz
            timeline.begin_segment(unix_us(at_ns))
        piece_ns = line.piece_ns
        timeline.add(Fragment(data, piece_ns, piece.revision, is_keyframe=True))
        if timeline.part_ns + piece_ns > _PART_NS:
            timeline.end_part()
            if timeline.growing_ns + _PART_NS > self._segment_ns:
                timeline.end_segment()
                self._segment_ns = _SEGMENT_NS
