"""What the workers are to do: the plain, validated result of the configuration.

The supervisor must stay light and never loads pydantic, and no worker needs to parse a
file; so `ooblexd.config` turns its models into these frozen values, which travel as
JSON over the command sockets.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

InputFormat = Literal["auto", "i420", "nv12", "yuyv", "mjpeg", "y4m"]
"""How pictures arrive: raw in one of three orders, as JPEG, or as YUV4MPEG2."""

Audio = Literal["auto", "on", "off"]
"""Whether sound is passed on; ``auto`` is unless an effect protects somebody."""

PushFormat = Literal["mpegts", "h264", "y4m"]
"""What a command gets that pictures are pushed to: MPEG-TS, H.264 alone, or raw."""

Flip = Literal["none", "horizontal", "vertical", "both"]
"""Which way a picture is mirrored; ``horizontal`` exchanges left and right."""

ListenProtocol = Literal["rtmp", "rtsp"]
"""How others publish to a port of ours."""

_LISTEN_PORTS: dict[str, tuple[ListenProtocol, int]] = {
    "rtmp-listen": ("rtmp", 1935),
    "rtsp-listen": ("rtsp", 8554),
}


class Place(NamedTuple):
    """A port on which others publish, or play; several streams may share it.

    Attributes:
        protocol: That they speak.
        host: The address it listens on, as in ``http.host``.
        port: 1 to 65535.
    """

    protocol: ListenProtocol
    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it stands in a source's URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}-listen://{host}:{self.port}"


class Listening(NamedTuple):
    """Where a stream is published to.

    Attributes:
        place: Whose port.
        path: What a publisher has to name; without slashes around it.
    """

    place: Place
    path: str


def listening_of(source: str) -> Listening | None:
    """Return where the stream with this source is published to, if it is at all."""
    scheme, colon, _ = source.partition("://")
    known = _LISTEN_PORTS.get(scheme.lower()) if colon else None
    if known is None:
        return None
    protocol, default_port = known
    parts = urlsplit(source)
    place = Place(protocol, parts.hostname or "", parts.port or default_port)
    return Listening(place, parts.path.strip("/"))


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
class PushPlan:
    """Where the finished pictures are sent, all the time.

    Attributes:
        url: With its key or login: never to be logged.
        format: What a command gets on its standard input.
        silent_audio: Whether a track of silence goes along by RTMP where there is no
            sound.
    """

    url: str
    format: PushFormat = "mpegts"
    silent_audio: bool = True


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream, from its source to its encoded pictures.

    Attributes:
        name: ``^[a-z0-9][a-z0-9_-]{0,62}$``.
        source: The source's URL, with its credentials: never to be logged.
        input: What arrives, for sources that do not say it themselves.
        transport: For RTSP: ``auto``, ``tcp`` or ``udp``.
        audio: Whether its sound is passed on: ``auto`` is where no effect protects.
        max_fps: Frames above it are dropped, before decoding where that can be; 0 is
            no limit.
        rotate: Degrees clockwise: 0, 90, 180 or 270.
        flip: ``none``, ``horizontal``, ``vertical`` or ``both``, after turning it.
        crop: What is kept of the picture, after turning and flipping it.
        max_age_ms: A frame older than this is not shown; 0 lets the daemon choose.
        jpeg_quality: 1..100.
        effects: The chain, in its order.
        push: Where the pictures are sent to.
        enabled: A stream that is not enabled has no workers.
        publish_key: What a publisher must know; empty where anybody may publish.
    """

    name: str
    source: str
    input: InputPlan = InputPlan()
    transport: Literal["auto", "tcp", "udp"] = "auto"
    audio: Audio = "auto"
    max_fps: float = 0.0
    rotate: int = 0
    flip: Flip = "none"
    crop: CropPlan = CropPlan()
    max_age_ms: int = 0
    jpeg_quality: int = 80
    effects: tuple[EffectPlan, ...] = ()
    push: tuple[PushPlan, ...] = ()
    enabled: bool = True
    publish_key: str = field(default="", repr=False)

    @property
    def passes_audio(self) -> bool:
        """Whether its sound may be heard; a voice tells who is behind a blur."""
        if self.audio == "auto":
            return not any(effect.is_privacy for effect in self.effects)
        return self.audio == "on"

    @property
    def takes_uploads(self) -> bool:
        """Whether clients send its pictures; silence is no fault of it then."""
        return self.source.partition(":")[0].lower() == "upload"

    @property
    def takes_publishers(self) -> bool:
        """Whether it is published to by WebRTC (WHIP)."""
        return self.source.partition(":")[0].lower() == "whip"

    def admits(self, key: str) -> bool:
        """Say whether a publisher who gives ``key`` may publish, by any protocol."""
        given, wanted = key.encode(), self.publish_key.encode()
        return not wanted or hmac.compare_digest(given, wanted)

    @property
    def listening(self) -> Listening | None:
        """Where others publish it; None for sources that we go and read."""
        return listening_of(self.source)


@dataclass(frozen=True, slots=True)
class IceServerPlan:
    """A STUN or TURN server.

    Attributes:
        urls: Where it is, as RFC 7064 and 7065 have it.
        username: Of TURN; a name for the server's log where there is a secret.
        password: Of the user, for ever; empty without, or with a secret.
        secret: Of which credentials for a time are made, see `ooblexd.ice`.
    """

    urls: tuple[str, ...]
    username: str = ""
    password: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebrtcPlan:
    """How viewers in other networks reach the daemon.

    Attributes:
        ice_servers: STUN and TURN servers, the preferred first.
        credentials_ttl_s: How long credentials that are made of a secret hold.
        additional_hosts: Addresses, or names of such, that this machine has for others.
        first_port: UDP ports that connections use; 0 for any.
        last_port: Likewise, the last of them.
        data_channel_control: Whether a viewer may change effects by a data channel.
    """

    ice_servers: tuple[IceServerPlan, ...] = ()
    credentials_ttl_s: int = 86400
    additional_hosts: tuple[str, ...] = ()
    first_port: int = 0
    last_port: int = 0
    data_channel_control: bool = False


@dataclass(frozen=True, slots=True)
class RtspPlan:
    """Where players read the streams.

    Attributes:
        host: The address to listen on, as in ``http.host``.
        port: TCP port; 0 where nobody may.
    """

    host: str = "127.0.0.1"
    port: int = 0

    @property
    def place(self) -> Place | None:
        """Its door, which is that of publishers who are to come to the same place."""
        host = "127.0.0.1" if self.host == "localhost" else self.host
        return Place("rtsp", host, self.port) if self.port else None


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
        webrtc: How viewers by WebRTC reach it.
        rtsp: Where players read the streams.
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
    webrtc: WebrtcPlan = WebrtcPlan()
    rtsp: RtspPlan = RtspPlan()
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
    fields["webrtc"] = _webrtc_of(fields["webrtc"])
    fields["rtsp"] = RtspPlan(**fields["rtsp"])
    return DaemonPlan(**fields)


def _webrtc_of(fields: dict[str, Any]) -> WebrtcPlan:
    fields["additional_hosts"] = tuple(fields["additional_hosts"])
    fields["ice_servers"] = tuple(
        IceServerPlan(**{**server, "urls": tuple(server["urls"])})
        for server in fields["ice_servers"]
    )
    return WebrtcPlan(**fields)


def _stream_of(fields: dict[str, Any]) -> StreamPlan:
    fields["input"] = InputPlan(**fields["input"])
    fields["crop"] = CropPlan(**fields["crop"])
    fields["push"] = tuple(PushPlan(**push) for push in fields["push"])
    fields["effects"] = tuple(EffectPlan(**effect) for effect in fields["effects"])
    return StreamPlan(**fields)
