"""What `ooblexd.sources.probe` finds out, as plain values; loads no decoder."""

from __future__ import annotations

from dataclasses import dataclass

B_FRAMES_WARNING = (
    "it has B-frames, which delay every picture; turn them off in the camera, "
    "or choose the profile Baseline"
)


@dataclass(frozen=True, slots=True)
class VideoReport:
    """The video of a source.

    Attributes:
        codec: As FFmpeg names it: `h264`, `hevc`, `mjpeg`, `rawvideo`.
        profile: Of the codec, such as `High`; empty where it has none.
        width: In pixels.
        height: In pixels.
        pixel_format: As FFmpeg names it: `yuv420p`, `yuvj422p`.
        fps: As measured; 0 where too little came.
        announced_fps: As the source says; 0 where it does not.
        keyframe_interval_s: The longest between two keyframes; null where no second one
            came while it was watched.
        has_b_frames: Pictures come in another order than they are shown in: later.
    """

    codec: str
    profile: str
    width: int
    height: int
    pixel_format: str
    fps: float
    announced_fps: float
    keyframe_interval_s: float | None
    has_b_frames: bool


@dataclass(frozen=True, slots=True)
class AudioReport:
    """One audio track; which codecs are passed on, a warning says.

    Attributes:
        codec: As FFmpeg names it: `aac`, `pcm_alaw`.
        sample_rate_hz: Samples a second.
        channels: 1 is mono.
    """

    codec: str
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a source is, or why it cannot be read.

    Attributes:
        source: Its URL, credentials masked.
        ok: Whether a stream could show it.
        reason: Why not, in a few words; empty where it is ok.
        transport: `tcp` or `udp` for RTSP; else `http`, `pipe` or `local`; empty where
            it is not ok.
        video: Null where it is not ok.
        audio: Its audio tracks.
        warnings: What its owner might mend, a sentence each.
        watched_s: How long it was watched, in seconds.
    """

    source: str
    ok: bool
    reason: str = ""
    transport: str = ""
    video: VideoReport | None = None
    audio: tuple[AudioReport, ...] = ()
    warnings: tuple[str, ...] = ()
    watched_s: float = 0.0
