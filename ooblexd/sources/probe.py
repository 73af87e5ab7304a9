"""Opens a source once, watches it for some seconds, and says what it is.

A source of packets is watched as packets, which show the order of pictures, and
decoded, since nothing less proves a camera; not every demuxer marks keyframes. A
command or a device is watched by its pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import av

from ooblexd.clock import NS_PER_S
from ooblexd.errors import SourceError, SourceUnavailableError
from ooblexd.redaction import mask_url
from ooblexd.sources import open_source
from ooblexd.sources.clip import open_clip
from ooblexd.sources.demo import DEMO_CLIP
from ooblexd.sources.http import http_address
from ooblexd.sources.mpegts import mpegts_address
from ooblexd.sources.network import open_container
from ooblexd.sources.options import MOST_PIXELS
from ooblexd.sources.reasons import explain, without_secrets
from ooblexd.sources.report import (
    B_FRAMES_WARNING,
    AudioReport,
    SourceReport,
    VideoReport,
)
from ooblexd.sources.rtmp import rtmp_address
from ooblexd.sources.rtsp import by_transport
from ooblexd.sources.sound import why_silent
from ooblexd.sources.url import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer

    from ooblexd.sources.options import SourceOptions

_RARE_KEYFRAMES_S = 4.0
_WITHOUT_PACKETS = ("exec", "upload", "whip", "rtmp-listen", "rtsp-listen", "/dev/")
_ADDRESSES = {
    "http": http_address,
    "https": http_address,
    "rtmp": rtmp_address,
    "rtmps": rtmp_address,
    "udp": mpegts_address,
}
_TIMELESS = ("mpjpeg", "mjpeg")  # FFmpeg makes up that they have 25 a second
_MOST_PACKETS = 600  # of a file, which comes as fast as it is read


class _Opened(NamedTuple):
    """An open source of packets."""

    container: InputContainer
    transport: str


@dataclass(slots=True)
class _Watched:
    """What was seen of a source's video.

    Attributes:
        frame: The first picture; None before there is one.
        times_s: Of the pictures, in the order that they came in.
        keys_s: Of the keyframes.
    """

    frame: av.VideoFrame | None = None
    times_s: list[float] = field(default_factory=list)
    keys_s: list[float] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """As measured."""
        spread_s = max(self.times_s, default=0.0) - min(self.times_s, default=0.0)
        return (len(self.times_s) - 1) / spread_s if spread_s > 0 else 0.0

    @property
    def has_b_frames(self) -> bool:
        """Whether a picture came after one that is shown after it."""
        return any(after < before for before, after in pairwise(self.times_s))

    @property
    def keyframe_interval_s(self) -> float | None:
        """The longest between two of them; None without a second one."""
        gaps = [after - before for before, after in pairwise(self.keys_s)]
        return round(max(gaps), 3) if gaps else None


def probe(url: str, options: SourceOptions, watch_s: float = 3.0) -> SourceReport:
    """Say what the source at ``url`` is, or why it cannot be read.

    Blocks for at most ``options.open_timeout_s``, and ``watch_s`` after that.

    Raises:
        ConfigError: There is no source of this kind.
    """
    start_ns = options.now_ns()
    scheme = scheme_of(url).name
    try:
        if scheme in _WITHOUT_PACKETS:
            return _probe_pictures(url, options, watch_s)
        return _probe_packets(_open(scheme, url, options), url, options, watch_s)
    except SourceError as error:
        watched_s = round((options.now_ns() - start_ns) / NS_PER_S, 2)
        shown = mask_url(url)
        return SourceReport(shown, ok=False, reason=error.reason, watched_s=watched_s)


def _open(scheme: str, url: str, options: SourceOptions) -> _Opened:
    if scheme == "demo":
        return _Opened(open_clip(str(DEMO_CLIP)), "local")
    if scheme == "file":
        return _Opened(open_clip(url.partition(":")[2]), "local")
    if scheme in _ADDRESSES:
        address = _ADDRESSES[scheme](url)
        return _Opened(open_container(address, options), address.transport)
    return by_transport(
        url,
        options.transport,
        lambda address: _Opened(open_container(address, options), address.transport),
        media="video+audio",
    )


def _probe_packets(
    opened: _Opened, url: str, options: SourceOptions, watch_s: float
) -> SourceReport:
    container, stream = opened.container, opened.container.streams.video[0]
    start_ns = options.now_ns()
    try:
        watched = _watch(container, options, watch_s)
        codec = stream.codec_context
        audio = tuple(
            AudioReport(track.codec_context.name, track.rate, track.channels)
            for track in container.streams.audio
        )
        announced = stream.average_rate or stream.guessed_rate
        if container.format.name in _TIMELESS:
            announced = None
        assert watched.frame is not None
        video = VideoReport(
            codec=codec.codec.canonical_name,
            profile=codec.profile or "",
            width=watched.frame.width,
            height=watched.frame.height,
            pixel_format=watched.frame.format.name,
            fps=round(watched.fps, 2),
            announced_fps=round(float(announced), 2) if announced else 0.0,
            keyframe_interval_s=watched.keyframe_interval_s,
            has_b_frames=watched.has_b_frames,
        )
        unheard = why_silent(container)
    finally:
        container.close()
    watched_s = (options.now_ns() - start_ns) / NS_PER_S
    report = _report(url, opened.transport, video, audio, watched_s)
    told = (*report.warnings, unheard) if unheard else report.warnings
    return replace(report, warnings=told)


def _watch(
    container: InputContainer, options: SourceOptions, watch_s: float
) -> _Watched:
    """Read packets until ``watch_s`` after the first picture, or longer.

    Twice as long without a second keyframe: cameras like to have them 2 s apart.

    Raises:
        SourceUnavailableError: No picture came, or none that can be decoded.
    """
    watched = _Watched()
    is_timeless = container.format.name in _TIMELESS
    start_ns, watch_ns = options.now_ns(), int(watch_s * NS_PER_S)
    until_ns = last_ns = start_ns + int(options.open_timeout_s * NS_PER_S)
    for packet in _packets(container, options, watched):
        arrived_s = (options.now_ns() - start_ns) / NS_PER_S
        at_s = arrived_s if is_timeless else _time_of(packet)
        if at_s is not None:
            watched.times_s.append(at_s)
        for frame in _frames(packet):
            if frame.key_frame and at_s is not None:
                watched.keys_s.append(arrived_s if is_timeless else frame.time or at_s)
            if watched.frame is None:
                watched.frame = frame
                until_ns = options.now_ns() + watch_ns
                last_ns = min(until_ns, last_ns) + watch_ns
        now_ns, is_enough = options.now_ns(), len(watched.keys_s) > 1
        if now_ns > (until_ns if is_enough else last_ns):
            break
        if len(watched.times_s) >= _MOST_PACKETS:
            break
    if watched.frame is None:
        raise SourceUnavailableError("no picture in what arrives")
    return watched


def _time_of(packet: av.Packet[av.VideoStream]) -> float | None:
    if packet.pts is None or packet.time_base is None:
        return None
    return float(packet.pts * packet.time_base)


def _packets(
    container: InputContainer, options: SourceOptions, watched: _Watched
) -> Iterator[av.Packet[av.VideoStream]]:
    """Yield packets to the end; an error counts only before the first picture."""
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as exc:
            if watched.frame is not None:
                return  # it was enough to know what it is
            reason = explain(exc, waited_s=options.read_timeout_s)
            raise reason from without_secrets(exc)
        if packet.size == 0:
            return
        yield packet


def _frames(packet: av.Packet[av.VideoStream]) -> list[av.VideoFrame]:
    try:
        return packet.decode()
    except av.FFmpegError:
        return []  # before the first keyframe a decoder may well complain


def _probe_pictures(url: str, options: SourceOptions, watch_s: float) -> SourceReport:
    source = open_source(url, options)
    try:
        picture = source.read()
        start_ns = end_ns = picture.capture_ns
        count = 0
        while end_ns - start_ns < watch_s * NS_PER_S:
            end_ns = source.read().capture_ns
            count += 1
        said = source.description
    finally:
        source.close()
    video = VideoReport(
        codec=said.codec,
        profile="",
        width=picture.width,
        height=picture.height,
        pixel_format=said.pixel_format,
        fps=round(count / ((end_ns - start_ns) / NS_PER_S), 2),
        announced_fps=round(said.fps, 2),
        keyframe_interval_s=None,
        has_b_frames=False,
    )
    return _report(url, said.transport, video, (), (end_ns - start_ns) / NS_PER_S)


def _report(
    url: str,
    transport: str,
    video: VideoReport,
    audio: tuple[AudioReport, ...],
    watched_s: float,
) -> SourceReport:
    reason = ""
    if video.width * video.height > MOST_PIXELS:
        most = MOST_PIXELS // 1_000_000
        reason = (
            f"pictures of {video.width}x{video.height} are too large, "
            f"at most {most} megapixels"
        )
    return SourceReport(
        source=mask_url(url),
        ok=not reason,
        reason=reason,
        transport=transport,
        video=video,
        audio=audio,
        warnings=tuple(_warnings(video, transport, watched_s)),
        watched_s=round(watched_s, 2),
    )


def _warnings(video: VideoReport, transport: str, watched_s: float) -> list[str]:
    """Return what the owner of the camera might mend."""
    found = []
    if video.has_b_frames:
        found.append(B_FRAMES_WARNING)
    if transport in ("tcp", "udp") and video.codec in ("h264", "hevc"):
        interval_s = video.keyframe_interval_s or watched_s
        if interval_s > _RARE_KEYFRAMES_S:
            found.append(
                f"keyframes are {interval_s:.1f} s apart or more: the picture begins "
                "that late, also after a loss; set 1 or 2 s in the camera"
            )
    return found
