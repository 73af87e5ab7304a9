"""What the workers are to do: the plain, validated result of the configuration.

The supervisor must stay light and never loads pydantic, and no worker needs to parse a
file; so `ooblexd.config` turns its models into these frozen values, which travel as
JSON over the command sockets.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

InputFormat = Literal["auto", "i420", "nv12", "yuyv", "mjpeg", "y4m"]
"""How pictures arrive: raw in one of three orders, as JPEG, or as YUV4MPEG2."""

Flip = Literal["none", "horizontal", "vertical", "both"]
"""Which way a picture is mirrored; ``horizontal`` exchanges left and right."""


@dataclass(frozen=True, slots=True)
class EffectPlan:
    """One effect of a chain.

    Attributes:
        effect: Its name, such as ``blur_faces``.
        mode: ``every_frame`` or ``tracked``.
        on_failure: ``cover``, ``hold`` or ``pass``.
        deadline_ms: A frame for which it takes longer counts as failed.
        is_privacy: Whether a frame without it must never be shown.
        guards: What it keeps from view as well as any other that says the same and has
            the same parameters; empty where only the effect itself does.
        runs_unwatched: Whether it works while nobody looks: it counts, or alerts.
        parameters: The effect's own, validated and complete, by name.
    """

    effect: str
    mode: str = "every_frame"
    on_failure: str = "cover"
    deadline_ms: int = 1000
    is_privacy: bool = False
    guards: str = ""
    runs_unwatched: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CropPlan:
    """The part of a picture that is kept, in shares of its width and height.

    Attributes:
        left: Of the width, 0 to 1.
        top: Of the height, 0 to 1.
        width: Likewise; with ``left`` at most 1.
        height: Likewise; with ``top`` at most 1.
    """

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0


@dataclass(frozen=True, slots=True)
class InputPlan:
    """What arrives from a command or a device.

    Attributes:
        format: ``auto``, ``i420``, ``nv12``, ``yuyv``, ``mjpeg`` or ``y4m``.
        width: In pixels; 0 where it is not said.
        height: Likewise.
        fps: Likewise.
    """

    format: InputFormat = "auto"
    width: int = 0
    height: int = 0
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream, from its source to its encoded pictures.

    Attributes:
        name: ``^[a-z0-9][a-z0-9_-]{0,62}$``.
        source: The source's URL, with its credentials: never to be logged.
        input: What arrives, for sources that do not say it themselves.
        transport: For RTSP: ``auto``, ``tcp`` or ``udp``.
        max_fps: Frames above it are dropped, before decoding where that can be; 0 is
            no limit.
        rotate: Degrees clockwise: 0, 90, 180 or 270.
        flip: ``none``, ``horizontal``, ``vertical`` or ``both``, after turning it.
        crop: What is kept of the picture, after turning and flipping it.
        max_age_ms: A frame older than this is not shown; 0 lets the daemon choose.
        jpeg_quality: 1..100.
        effects: The chain, in its order.
        enabled: A stream that is not enabled has no workers.
    """

    name: str
    source: str
    input: InputPlan = InputPlan()
    transport: Literal["auto", "tcp", "udp"] = "auto"
    max_fps: float = 0.0
    rotate: int = 0
    flip: Flip = "none"
    crop: CropPlan = CropPlan()
    max_age_ms: int = 0
    jpeg_quality: int = 80
    effects: tuple[EffectPlan, ...] = ()
    enabled: bool = True

    @property
    def takes_uploads(self) -> bool:
        """Whether clients send its pictures; silence is no fault of it then."""
        return self.source.partition(":")[0].lower() == "upload"


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """The whole daemon.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 lets the kernel choose.
        allowed_hosts: Values of ``Host`` that requests may carry, beside loopback.
        inference_workers: Size of the pool.
        inference_threads: Threads of an engine within one worker.
        engine: ``auto`` or the name of an engine.
        config_path: The file that changes by API are written to.
        is_demo: There was no file; the first change creates it.
        config_digest: Of the file as it was read, see `config.replacing`; empty without
            one.
        streams: By their order in the file.
    """

    host: str
    port: int
    config_path: str
    allowed_hosts: tuple[str, ...] = ()
    inference_workers: int = 1
    inference_threads: int = 1
    engine: str = "auto"
    log_level: str = "info"
    log_format: str = "auto"
    is_demo: bool = False
    config_digest: str = ""
    streams: tuple[StreamPlan, ...] = ()


def protects_more(old: tuple[EffectPlan, ...], new: tuple[EffectPlan, ...]) -> bool:
    """Say whether ``new`` guards something that ``old`` does not.

    Where it does, nothing may leave by the old chain any more. The comparison is
    deliberately strict: a privacy effect with any other parameter counts as new, and
    one effect is as good as another only where both say that they guard the same.
    """
    guarded = [_guard(effect) for effect in old]
    return any(effect.is_privacy and _guard(effect) not in guarded for effect in new)


def _guard(effect: EffectPlan) -> EffectPlan:
    return replace(effect, effect="") if effect.guards else effect


def is_same_scene(one: StreamPlan, other: StreamPlan) -> bool:
    """Say whether both show the same view of the same source."""

    def scene_of(plan: StreamPlan) -> tuple[object, ...]:
        source = (plan.source, plan.input, plan.transport)
        return (*source, plan.rotate, plan.flip, plan.crop)

    return scene_of(one) == scene_of(other)


def format_plan(plan: StreamPlan | DaemonPlan) -> str:
    """Return ``plan`` as JSON."""
    return json.dumps(asdict(plan), separators=(",", ":"))


def parse_stream_plan(text: str) -> StreamPlan:
    """Return what `format_plan` wrote."""
    return _stream_of(json.loads(text))


def parse_daemon_plan(text: str) -> DaemonPlan:
    """Return what `format_plan` wrote."""
    fields = json.loads(text)
    fields["allowed_hosts"] = tuple(fields["allowed_hosts"])
    fields["streams"] = tuple(_stream_of(stream) for stream in fields["streams"])
    return DaemonPlan(**fields)


def _stream_of(fields: dict[str, Any]) -> StreamPlan:
    fields["input"] = InputPlan(**fields["input"])
    fields["crop"] = CropPlan(**fields["crop"])
    fields["effects"] = tuple(EffectPlan(**effect) for effect in fields["effects"])
    return StreamPlan(**fields)
