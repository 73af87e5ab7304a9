"""H.264 and VP8 from I420, for viewers who watch by WebRTC.

An encoder is chosen by trying: a build of FFmpeg names encoders whose hardware is not
there. Each picture goes in and comes out before the next (no lookahead, no B-frames);
parameter sets come before each keyframe, and a keyframe only when somebody asks for it.
Range and matrix are written into the stream, not converted, so that the planes of the
ring are encoded as they are.
"""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import NamedTuple, cast

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace

from ooblexd.clock import NS_PER_S
from ooblexd.encoders.av_frame import copy_to_frame
from ooblexd.errors import EncoderError
from ooblexd.frame import Matrix
from ooblexd.pixels import Planes

RATE_HZ = 90_000  # of timestamps, as RTP has it for video
LEAST_BIT_RATE = 150_000
MOST_BIT_RATE = 8_000_000
MOST_FPS = 120.0
_LEAST_STEP = RATE_HZ // 1000  # a Matroska file has no finer time
_USUAL_FPS = 30.0
_BITS_PER_PIXEL = 0.09
_KEYFRAME_EVERY = 1 << 16  # frames: never by itself
_COLORSPACE = {Matrix.BT601: Colorspace.ITU601, Matrix.BT709: Colorspace.ITU709}


class VideoCodec(str, enum.Enum):
    """What viewers can decode."""

    H264 = "h264"
    VP8 = "vp8"


class _Candidate(NamedTuple):
    """An encoder of FFmpeg, and how it is told to hold nothing back."""

    name: str
    options: dict[str, str]
    follows_bit_rate: bool  # when it changes; else it is opened anew


_CANDIDATES = {
    VideoCodec.H264: (
        _Candidate(
            "h264_nvenc",
            {
                "preset": "p1",
                "tune": "ull",
                "profile": "baseline",
                "zerolatency": "1",
                "delay": "0",
                "forced-idr": "1",
                "rc": "cbr",
            },
            follows_bit_rate=True,
        ),
        _Candidate("h264_v4l2m2m", {}, follows_bit_rate=False),
        _Candidate(
            "libx264",
            {
                "preset": "ultrafast",
                "tune": "zerolatency",
                "profile": "baseline",
                "forced-idr": "1",
            },
            follows_bit_rate=True,
        ),
    ),
    VideoCodec.VP8: (
        _Candidate(
            "libvpx",
            {
                # With a least rate that is the wanted one libvpx keeps to it: else its
                # first keyframe has 130 KB, not 40.
                "minrate": "{bit_rate}",
                "deadline": "realtime",
                "cpu-used": "8",
                "lag-in-frames": "0",
                "error-resilient": "default",
            },
            follows_bit_rate=False,
        ),
    ),
}


class Shape(NamedTuple):
    """What an encoder is opened for; another one needs another encoder."""

    width: int
    height: int
    full_range: bool
    matrix: Matrix
    fps: float


def usual_bit_rate(width: int, height: int, fps: float) -> int:
    """Return how many bits a second pictures of that size are worth."""
    wanted = int(width * height * max(fps, 1.0) * _BITS_PER_PIXEL)
    return min(max(wanted, LEAST_BIT_RATE), MOST_BIT_RATE)


def packet_of(
    data: bytes, at_ns: int, *, is_keyframe: bool
) -> av.Packet[av.VideoStream]:
    """Return what was encoded elsewhere as a packet, like those of `VideoEncoder`."""
    packet = cast("av.Packet[av.VideoStream]", av.Packet(data))
    packet.pts = packet.dts = at_ns * RATE_HZ // NS_PER_S
    packet.time_base = Fraction(1, RATE_HZ)
    packet.is_keyframe = is_keyframe
    return packet


class VideoEncoder:
    """Encodes the pictures of one stream, in one thread.

    Args:
        codec: As what.
        bit_rate: In bits a second, to begin with; up to this it may rise again without
            a new encoder, and its keyframe.

    Attributes:
        codec: As what.
        name: FFmpeg's, of the encoder that was opened; empty before.
    """

    def __init__(self, codec: VideoCodec, bit_rate: int) -> None:
        self.codec = codec
        self.name = ""
        self._bit_rate = self._most_bit_rate = bit_rate
        self._opened: _Opened | None = None
        self._last_pts = -_LEAST_STEP
        self._fps = _USUAL_FPS

    @property
    def bit_rate(self) -> int:
        """In bits a second; what is set holds from the next picture on."""
        return self._bit_rate

    @bit_rate.setter
    def bit_rate(self, bit_rate: int) -> None:
        self._bit_rate = min(max(bit_rate, LEAST_BIT_RATE), MOST_BIT_RATE)

    @property
    def fps(self) -> float:
        """Pictures a second that the bit rate is spread over."""
        return self._fps

    @fps.setter
    def fps(self, fps: float) -> None:
        # libx264 without delay counts pictures, not time. Another rate is another
        # encoder, and a keyframe, so only one that matters is taken.
        if abs(fps - self._fps) > self._fps / 4:
            self._fps = min(max(fps, 1.0), MOST_FPS)

    def encode(
        self,
        planes: Planes,
        at_ns: int,
        *,
        full_range: bool,
        matrix: Matrix,
        is_keyframe: bool = False,
    ) -> list[av.Packet[av.VideoStream]]:
        """Return the picture as packets (H.264: Annex B), one as a rule.

        Args:
            planes: Not modified; not used after the return. Of an odd size, the last
                column or row is left out, which H.264 cannot have.
            at_ns: When it is to be shown; times that do not grow are made to, by a
                millisecond.
            full_range: Whether luma is 0..255.
            matrix: The YUV coefficients of ``planes``.
            is_keyframe: Whether it must be decodable by itself; the first always is.

        Raises:
            EncoderError: No encoder could be opened, or it has failed.
        """
        planes = _even(planes)
        shape = Shape(planes.width, planes.height, full_range, matrix, self._fps)
        opened = self._opened_for(shape)
        frame = opened.frame
        copy_to_frame(planes, frame)
        at = round(at_ns * RATE_HZ / NS_PER_S)
        self._last_pts = max(at, self._last_pts + _LEAST_STEP)
        frame.pts = self._last_pts
        frame.pict_type = PictureType.I if is_keyframe else PictureType.NONE
        try:
            return opened.context.encode(frame)
        except av.FFmpegError as error:
            self._opened = None
            raise EncoderError(f"{self.name}: {error}") from error

    def _opened_for(self, shape: Shape) -> _Opened:
        opened = self._opened
        if opened is not None and opened.shape == shape:
            is_allowed = self._bit_rate <= opened.most_bit_rate
            if opened.candidate.follows_bit_rate and is_allowed:
                opened.context.bit_rate = self._bit_rate
            if opened.context.bit_rate == self._bit_rate:
                return opened
        self._opened = _open(self.codec, shape, self._bit_rate, self._most_bit_rate)
        self.name = self._opened.candidate.name
        return self._opened


class _Opened(NamedTuple):
    """An encoder that works, and the picture it is given."""

    candidate: _Candidate
    context: av.VideoCodecContext
    shape: Shape
    frame: av.VideoFrame
    most_bit_rate: int


def _open(
    codec: VideoCodec, shape: Shape, bit_rate: int, most_bit_rate: int
) -> _Opened:
    reasons = []
    for candidate in _CANDIDATES[codec]:
        most = max(bit_rate, most_bit_rate) if candidate.follows_bit_rate else bit_rate
        try:
            context = _context_of(candidate, shape, most)
            context.open()
        except (av.FFmpegError, ValueError, OSError) as error:
            reasons.append(f"{candidate.name}: {error}")
            continue
        context.bit_rate = bit_rate
        frame = av.VideoFrame(shape.width, shape.height, "yuv420p")
        frame.time_base = Fraction(1, RATE_HZ)
        return _Opened(candidate, context, shape, frame, most)
    raise EncoderError("; ".join(reasons))


def _context_of(
    candidate: _Candidate, shape: Shape, bit_rate: int
) -> av.VideoCodecContext:
    context = av.CodecContext.create(candidate.name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = shape.width, shape.height
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, RATE_HZ)
    context.framerate = Fraction(round(shape.fps))
    context.bit_rate = bit_rate
    context.gop_size = _KEYFRAME_EVERY
    context.max_b_frames = 0
    context.thread_count = 1
    context.colorspace = _COLORSPACE[shape.matrix]
    context.color_range = ColorRange.JPEG if shape.full_range else ColorRange.MPEG
    # A second's worth may be spent early: a keyframe is ten times an ordinary picture.
    rates = {"maxrate": "{bit_rate}", "bufsize": "{bit_rate}"}
    options = {**candidate.options, **rates}
    context.options = {
        name: value.format(bit_rate=bit_rate) for name, value in options.items()
    }
    return context


def _even(planes: Planes) -> Planes:
    width, height = planes.width & ~1, planes.height & ~1
    half = np.s_[: height // 2, : width // 2]
    return Planes(planes.y[:height, :width], planes.u[half], planes.v[half])
