"""The configuration as types: each key, its kind, its range and its default, once.

`config/ooblexd.toml` repeats every key with its default and explains it; a test
compares the two.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ooblexd.config.effects import check_chain, complete_effect
from ooblexd.config.ice import (
    MAX_ADDITIONAL_HOSTS,
    MAX_ICE_SERVERS,
    AnnouncedHost,
    Credential,
    IceUrls,
    PortRange,
    check_credentials,
)
from ooblexd.config.push import check_push, check_pushes, circle_in, goes_to
from ooblexd.config.source import check_input, check_publish_key, check_source
from ooblexd.config.values import (
    MAX_EFFECTS,
    MAX_STREAMS,
    AllowedHost,
    Flag,
    ListenHost,
    Number,
    Rotation,
    StreamName,
    Whole,
    Workers,
    own_words,
)
from ooblexd.plan import (
    Audio,
    Flip,
    InputFormat,
    InputPlan,
    Listening,
    PushFormat,
    listening_of,
)
from ooblexd.pushes.url import MOST_PUSHES

_ROUNDING = 1e-9  # 0.9 + 0.1 is more than 1 in some orders


class Section(BaseModel):
    """A table of the file: frozen, and without keys that we do not know."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
        validate_default=True,
    )


class HttpConfig(Section):
    """``[http]``: where the daemon is reached."""

    host: ListenHost = "127.0.0.1"
    port: Whole = Field(default=8800, ge=0, le=65535)
    allowed_hosts: tuple[AllowedHost, ...] = ()


class RtspConfig(Section):
    """``[rtsp]``: where players read the streams.

    Attributes:
        host: The address to listen on.
        port: TCP port; 0 is off.
    """

    host: ListenHost = "127.0.0.1"
    port: Whole = Field(default=0, ge=0, le=65535)


class EffectConfig(Section):
    """One effect of a chain, complete: what was left out has its default.

    Attributes:
        parameters: The effect's own; in TOML and JSON they stand beside ``effect``.
    """

    effect: str
    mode: str
    on_failure: str
    deadline_ms: int
    parameters: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: object) -> object:
        return complete_effect(value)


class InputConfig(Section):
    """What arrives from a source that does not say it itself."""

    format: InputFormat = "auto"
    width: Whole = Field(default=0, ge=0, le=8192)
    height: Whole = Field(default=0, ge=0, le=8192)
    fps: Number = Field(default=0.0, ge=0, le=240)


class CropConfig(Section):
    """The part of a picture that is kept, in shares of its width and height.

    Shares mean the same part of the scene when the camera changes its resolution, and
    can be drawn on a page that shows the picture at any size.

    Attributes:
        left: Where it begins, from the left.
        top: Where it begins, from the top.
        width: How wide it is.
        height: How high it is.
    """

    left: Number = Field(default=0.0, ge=0, le=1)
    top: Number = Field(default=0.0, ge=0, le=1)
    width: Number = Field(default=1.0, ge=0.01, le=1)
    height: Number = Field(default=1.0, ge=0.01, le=1)

    @model_validator(mode="after")
    def _lies_within(self) -> "CropConfig":
        for start, length in (("left", "width"), ("top", "height")):
            end = getattr(self, start) + getattr(self, length)
            if end > 1 + _ROUNDING:
                raise own_words(f"{start} + {length} is {end:g}, at most 1")
        return self


class PushConfig(Section):
    """Where the finished pictures are sent, all the time.

    Attributes:
        url: Where to: `rtmp://`, `rtsp://`, `whips://` and others.
        format: What an `exec:` command gets on its standard input.
        silent_audio: Whether a silent track goes along by RTMP where the source has no
            sound, which some platforms ask for.
    """

    url: Annotated[str, Field(repr=False), AfterValidator(check_push)]
    format: PushFormat = "mpegts"
    silent_audio: Flag = True

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value


class StreamConfig(Section):
    """``[streams.NAME]``: a source and what happens to its frames.

    Attributes:
        source: Where the frames come from: `rtsp://`, `http://`, `demo:` and others.
        publish_key: What a publisher must know; empty lets anybody publish. Shown as
            `***`.
        input: What arrives from a command, which does not say it itself.
        enabled: Whether it runs; else it only keeps its place.
        transport: How RTSP brings the frames; with `auto` the source decides.
        audio: Whether sound is passed on; `auto` is unless an effect protects somebody.
        max_fps: Frames above this many a second are dropped; 0 keeps all.
        rotate: How far the picture is turned, clockwise, in degrees.
        flip: How the picture is mirrored.
        crop: The part of the picture that is kept.
        max_age_ms: A frame older than this is never shown; 0 lets the daemon choose.
        jpeg_quality: Of the JPEG pictures.
        effects: What is done to each frame, in this order.
        push: Where the finished pictures are sent, whether anybody looks or not.
    """

    source: Annotated[str, Field(repr=False), AfterValidator(check_source)]
    publish_key: Annotated[
        str, Field(repr=False), AfterValidator(check_publish_key)
    ] = ""
    input: InputConfig = InputConfig()
    enabled: Flag = True
    transport: Literal["auto", "tcp", "udp"] = "auto"
    audio: Audio = "auto"
    max_fps: Number = Field(default=0.0, ge=0, le=240)
    rotate: Rotation = 0
    flip: Flip = "none"
    crop: CropConfig = CropConfig()
    max_age_ms: Whole = Field(default=0, ge=0, le=60_000)
    jpeg_quality: Whole = Field(default=80, ge=1, le=100)
    effects: Annotated[tuple[EffectConfig, ...], AfterValidator(check_chain)] = Field(
        default=(), max_length=MAX_EFFECTS
    )
    push: Annotated[tuple[PushConfig, ...], AfterValidator(check_pushes)] = Field(
        default=(), max_length=MOST_PUSHES
    )

    @field_validator("input")
    @classmethod
    def _suits_the_source(
        cls, wanted: InputConfig, info: ValidationInfo
    ) -> InputConfig:
        if "source" in info.data:  # else that is the problem
            check_input(info.data["source"], InputPlan(**wanted.model_dump()))
        return wanted


class InferenceConfig(Section):
    """``[inference]``: the pool that runs the effects."""

    engine: Literal["auto", "onnx-cpu"] = "auto"
    workers: Workers = "auto"
    threads: Whole = Field(default=1, ge=1, le=64)


class IceServerConfig(Section):
    """A STUN or TURN server, by which two networks find to one another.

    Attributes:
        urls: Where it is; several addresses are the same server's.
        username: Of a TURN server, as fixed as the password; with `secret` a name that
            its log shows.
        password: Of the user.
        secret: Shared with the server: credentials are made of it for a time.
    """

    urls: IceUrls
    username: Credential = ""
    password: Credential = ""
    secret: Credential = ""

    @model_validator(mode="after")
    def _is_complete(self) -> "IceServerConfig":
        check_credentials(self.urls, self.username, self.password, self.secret)
        return self


class WebrtcConfig(Section):
    """``[webrtc]``: how viewers in other networks reach the daemon.

    Attributes:
        ice_servers: STUN and TURN servers, for the daemon and its viewers.
        credentials_ttl_s: How long credentials that are made of a `secret` hold.
        additional_hosts: Addresses of this machine that only others know.
        udp_ports: What connections use; empty for any.
        data_channel_control: Whether a viewer may change effects by a data channel.
    """

    ice_servers: tuple[IceServerConfig, ...] = Field(
        default=(), max_length=MAX_ICE_SERVERS
    )
    credentials_ttl_s: Whole = Field(default=86400, ge=60, le=604800)
    additional_hosts: tuple[AnnouncedHost, ...] = Field(
        default=(), max_length=MAX_ADDITIONAL_HOSTS
    )
    udp_ports: PortRange = ""
    data_channel_control: Flag = False


class LogConfig(Section):
    """``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Document(Section):
    """The whole file."""

    http: HttpConfig = HttpConfig()
    rtsp: RtspConfig = RtspConfig()
    streams: dict[StreamName, StreamConfig] = Field(default={}, max_length=MAX_STREAMS)
    inference: InferenceConfig = InferenceConfig()
    webrtc: WebrtcConfig = WebrtcConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _has_a_port_for_each(self) -> "Document":
        if self.rtsp.port and self.rtsp.port == self.http.port:
            raise own_words(
                f"rtsp.port: {self.rtsp.port} is http.port already; 8554 is usual"
            )
        return self

    @model_validator(mode="after")
    def _names_places_once(self) -> "Document":
        known: dict[Listening, str] = {}
        for name, stream in self.streams.items():
            listening = listening_of(stream.source) if stream.enabled else None
            other = known.setdefault(listening, name) if listening else name
            if other != name:
                raise own_words(
                    f"streams.{name}.source: {stream.source} is that of "
                    f"streams.{other} already; take another name behind the port"
                )
        return self

    @model_validator(mode="after")
    def _pushes_in_no_circle(self) -> "Document":
        running = {n: stream for n, stream in self.streams.items() if stream.enabled}
        listening = {name: listening_of(s.source) for name, s in running.items()}
        pushed = {
            name: [
                other
                for other, place in listening.items()
                for push in stream.push
                if place is not None and goes_to(push.url, place)
            ]
            for name, stream in running.items()
        }
        if circle := circle_in(pushed):
            raise own_words(
                f"streams.{circle[0]}.push: it comes back to the same stream "
                f"({' to '.join(circle)}), and would send every publisher away"
            )
        return self


@dataclass(frozen=True, slots=True)
class Location:
    """Where the configuration lies.

    Attributes:
        path: The file that changes are written to.
        is_demo: There is no file: the demo runs, and the first change creates it.
        digest: Of the file's content, once it was read; empty without a file.
    """

    path: Path
    is_demo: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration and where each part of it came from.

    Attributes:
        document: The file with the environment over it.
        location: Where the file lies.
        overrides: Key path (``("http", "port")``) to the environment variable that
            sets it; such a value is never written to the file.
    """

    document: Document
    location: Location
    overrides: dict[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def http(self) -> HttpConfig:
        """The section ``[http]``."""
        return self.document.http

    @property
    def rtsp(self) -> RtspConfig:
        """The section ``[rtsp]``."""
        return self.document.rtsp

    @property
    def streams(self) -> dict[str, StreamConfig]:
        """Each stream by its name, in the order of the file; not to be modified."""
        return self.document.streams

    @property
    def inference(self) -> InferenceConfig:
        """The section ``[inference]``."""
        return self.document.inference

    @property
    def webrtc(self) -> WebrtcConfig:
        """The section ``[webrtc]``."""
        return self.document.webrtc

    @property
    def log(self) -> LogConfig:
        """The section ``[log]``."""
        return self.document.log
