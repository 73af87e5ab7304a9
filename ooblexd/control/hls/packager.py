"""Pictures out of the video ring into the timeline, while somebody plays it."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import anyio

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns, unix_us
from ooblexd.control.hls.audience import Audience
from ooblexd.control.hls.sound import HlsSound
from ooblexd.control.hls.timeline import ANY_REVISION, Fragment, Timeline
from ooblexd.control.muxing import codecs_of, open_mp4, split_init
from ooblexd.errors import MuxerError
from ooblexd.frame import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio import AudioPacket
    from ooblexd.control.audio_feed import AudioFeed
    from ooblexd.control.hls.timeline import Part
    from ooblexd.control.video_feed import VideoFeed, VideoUnit
    from ooblexd.frame import FrameHeader, Matrix
    from ooblexd.muxer import Muxer

logger = logging.getLogger(__name__)

LINGER_NS = 15 * NS_PER_S  # without a request
_PART_NS = 190 * NS_PER_MS  # six pictures of 30 a second, which come with some jitter
_SEGMENT_NS = NS_PER_S
_FIRST_SEGMENT_NS = NS_PER_S // 2  # players that know no parts begin with it
_ENOUGH = 0.8  # of a segment, for a keyframe that somebody else has asked for
_LONGEST_NS = 8 * NS_PER_S  # a segment without an end
_LARGEST_BYTES = 16 << 20  # likewise
_ASK_EVERY_NS = 500 * NS_PER_MS
# ITU-T H.264, section 7.3.1.
_KIND, _SLICES, _SEQUENCE, _PICTURE = 31, (1, 5), 7, 8
_MOST_NALS, _SEQUENCE_BYTES = 8, 8
_ERA_UNIX_S = 1_767_225_600  # 2026; players keep numbers in 32 bits


class Packager:
    """The HLS of one stream; a taker of its pictures.

    Args:
        feed: Whose pictures.
        audio: Their sound.
        on_end: Called once when it has ended.

    Attributes:
        audience: Who plays it.
        timeline: What there is to play; whoever sends of it calls `withdraw` first.
        sound: Likewise what there is to hear.
        has_ended: Nothing more comes.
    """

    def __init__(
        self, feed: VideoFeed, audio: AudioFeed, on_end: Callable[[], None]
    ) -> None:
        # Greater than that of any former life: a segment takes half a second at least.
        first = max(int(time.time()) - _ERA_UNIX_S, 0)
        self.timeline = Timeline(first)
        self.sound = HlsSound(audio, first, self._break_off)
        self.audience = Audience(monotonic_ns)
        self.has_ended = False
        self._feed = feed
        self._on_end = on_end
        self._news = anyio.Event()
        self._muxer: Muxer | None = None
        self._origin_ns: int | None = None  # when time is 0, whatever breaks later
        self._is_fresh = False  # the muxer has not given its init segment yet
        self._shape: _Shape | None = None
        self._held: FrameHeader | None = None  # the picture in the muxer
        self._usual_ns = 0  # between the last two
        self._segment_ns = _FIRST_SEGMENT_NS
        self._ask_from_ns = 0
        self._used_ns = monotonic_ns()
        self._joined = ExitStack()
        self._joined.enter_context(audio.joined(self, as_aac=True))
        self._joined.enter_context(feed.joined(self))

    # For those who ask.

    def note_use(self) -> None:
        """Go on for another while: somebody asks."""
        self._used_ns = monotonic_ns()
        self._feed.viewers["hls"] = self.audience.count()

    async def await_news(self, is_there: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is there, and say whether it is."""
        with anyio.move_on_after(within_s):
            while not is_there() and not self.has_ended:
                await self._news.wait()
        return is_there()

    def withdraw(self) -> None:
        """Take out what may not be shown any more."""
        required = self._feed.required_revision
        self.sound.withdraw()
        is_cut = self.timeline.withdraw_below(required)
        held = self._held
        if is_cut or (held is not None and _revision_of(held) < required):
            self._break_off()

    def may_send(self, part: Part) -> bool:
        """Say whether a part may be sent at this very moment."""
        return part.revision >= self._feed.required_revision

    # For the feed.

    def take(self, unit: VideoUnit) -> None:
        """Take a picture."""
        if monotonic_ns() - self._used_ns > LINGER_NS:
            self.end()
            return
        self.withdraw()
        self._feed.viewers["hls"] = self.audience.count()
        try:
            if _revision_of(unit.header) < self._feed.required_revision:
                self._break_off()
            else:
                self._put(unit)
                self.sound.reach(unit.header.pts_ns)
        except MuxerError:
            logger.exception("[stream %s] HLS begins anew", self._feed.name)
            self._break_off()
        self._tell()

    def hear(self, packet: AudioPacket) -> None:
        """Take a packet of sound."""
        self.sound.hear(packet)
        self._tell()

    def end(self) -> None:
        """End; who waits is told."""
        if self.has_ended:
            return
        self.has_ended = True
        self._joined.close()
        self._drop_muxer()
        self.sound.end()
        self._feed.viewers["hls"] = 0
        self._tell()
        self._on_end()

    # Within.

    def _put(self, unit: VideoUnit) -> None:
        header = unit.header
        if header.is_keyframe:
            shape = _shape_of(unit)
            if shape != self._shape:
                self._finish()
                self._open(shape, header.pts_ns)
        if self._muxer is None:
            self._ask_keyframe()
            return
        data = self._muxer.mux(unit.data, header.pts_ns, is_keyframe=header.is_keyframe)
        held, self._held = self._held, header
        if held is None:
            return
        self._usual_ns = header.pts_ns - held.pts_ns
        self._add(held, data)
        self._cut(header)

    def _open(self, shape: _Shape, at_ns: int) -> None:
        self._shape = shape
        if self._origin_ns is None:
            self._origin_ns = at_ns
        self._muxer = open_mp4(shape.width, shape.height, self._origin_ns)
        self._is_fresh = True
        self._segment_ns = _FIRST_SEGMENT_NS

    def _add(self, header: FrameHeader, data: bytes) -> None:
        """Add the picture of ``header``; the first comes with the init segment."""
        if self._is_fresh:
            self._is_fresh = False
            init, data = split_init(data)
            assert self._shape is not None, "a muxer is open"
            width, height = self._shape[:2]
            begun = self.timeline.begin(init, codecs_of(init), width, height)
            self.timeline.begin_segment(unix_us(header.pts_ns))
            assert self._origin_ns is not None, "a muxer was opened"
            self.sound.begin(self._origin_ns, header.pts_ns, begun.sequence)
        fragment = Fragment(
            data, self._usual_ns, _revision_of(header), header.is_keyframe
        )
        self.timeline.add(fragment)

    def _cut(self, header: FrameHeader) -> None:
        """End a part or a segment before the picture of ``header``, if it is time."""
        timeline = self.timeline
        if header.is_keyframe and timeline.growing_ns >= _ENOUGH * self._segment_ns:
            timeline.begin_segment(unix_us(header.pts_ns))
            self._segment_ns = _SEGMENT_NS
        elif timeline.part_ns >= _PART_NS:
            timeline.end_part()
        # The next picture has been encoded by now, the one after it can be the one.
        if timeline.growing_ns + 2 * self._usual_ns >= self._segment_ns:
            self._ask_keyframe()
        is_long = timeline.growing_ns > _LONGEST_NS
        if is_long or timeline.growing_bytes > _LARGEST_BYTES:
            self._break_off()

    def _finish(self) -> None:
        """End a discontinuity with all its pictures; there are two at least."""
        muxer, held = self._muxer, self._held
        if self._is_fresh or muxer is None or held is None:
            self._drop_muxer()
        else:
            self._muxer = self._held = None
            self._add(held, muxer.close())
        self.timeline.end_segment()

    def _break_off(self) -> None:
        """End a discontinuity without the picture in the muxer."""
        self._drop_muxer()
        self.timeline.end_segment()
        self.sound.end()
        self._ask_keyframe()

    def _drop_muxer(self) -> None:
        muxer, self._muxer, self._held = self._muxer, None, None
        self._shape = None
        if muxer is not None:
            try:
                muxer.close()
            except MuxerError:
                logger.debug("a muxer that failed is closed", exc_info=True)

    def _ask_keyframe(self) -> None:
        now_ns = monotonic_ns()
        if now_ns >= self._ask_from_ns:
            self._ask_from_ns = now_ns + _ASK_EVERY_NS
            self._feed.ask_keyframe()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()


def _revision_of(header: FrameHeader) -> int:
    """Return what a picture has passed; one that shows nothing of a frame, all."""
    is_standin = header.verdict in (Verdict.COVERED, Verdict.SLATE)
    return ANY_REVISION if is_standin else header.revision


class _Shape(NamedTuple):
    """What the init segment says of pictures; another one needs another of these."""

    width: int
    height: int
    full_range: bool
    matrix: Matrix
    sets: tuple[bytes, ...]


def _shape_of(unit: VideoUnit) -> _Shape:
    header = unit.header
    width, height = header.width & ~1, header.height & ~1  # as the encoder has it
    sets = parameter_sets(unit.data)
    return _Shape(width, height, header.full_range, header.matrix, sets)


def parameter_sets(unit: bytes) -> tuple[bytes, ...]:
    """Return the parameter sets of H.264 (Annex B), of a sequence the first bytes.

    Those hold profile, level and size. What comes later changes with the frame rate,
    and is repeated in the stream.
    """
    found = []
    for nal in unit.split(b"\0\0\1", _MOST_NALS)[1:]:
        kind = nal[0] & _KIND if nal else 0
        if kind in _SLICES:
            break
        if kind == _SEQUENCE:
            found.append(nal[:_SEQUENCE_BYTES])
        elif kind == _PICTURE:
            found.append(nal.rstrip(b"\0"))
    return tuple(found)
