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
from ooblexd.config.source import check_input, check_source
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
from ooblexd.plan import Flip, InputFormat, InputPlan

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


class StreamConfig(Section):
    """``[streams.NAME]``: a source and what happens to its frames.

    Attributes:
        source: Where the frames come from: `rtsp://`, `http://`, `demo:` and others.
        input: What arrives from a command, which does not say it itself.
        enabled: Whether it runs; else it only keeps its place.
        transport: How RTSP brings the frames; with `auto` the source decides.
        max_fps: Frames above this many a second are dropped; 0 keeps all.
        rotate: How far the picture is turned, clockwise, in degrees.
        flip: How the picture is mirrored.
        crop: The part of the picture that is kept.
        max_age_ms: A frame older than this is never shown; 0 lets the daemon choose.
        jpeg_quality: Of the JPEG pictures.
        effects: What is done to each frame, in this order.
    """

    source: Annotated[str, Field(repr=False), AfterValidator(check_source)]
    input: InputConfig = InputConfig()
    enabled: Flag = True
    transport: Literal["auto", "tcp", "udp"] = "auto"
    max_fps: Number = Field(default=0.0, ge=0, le=240)
    rotate: Rotation = 0
    flip: Flip = "none"
    crop: CropConfig = CropConfig()
    max_age_ms: Whole = Field(default=0, ge=0, le=60_000)
    jpeg_quality: Whole = Field(default=80, ge=1, le=100)
    effects: Annotated[tuple[EffectConfig, ...], AfterValidator(check_chain)] = Field(
        default=(), max_length=MAX_EFFECTS
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


class LogConfig(Section):
    """``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Document(Section):
    """The whole file."""

    http: HttpConfig = HttpConfig()
    streams: dict[StreamName, StreamConfig] = Field(default={}, max_length=MAX_STREAMS)
    inference: InferenceConfig = InferenceConfig()
    log: LogConfig = LogConfig()


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
    def streams(self) -> dict[str, StreamConfig]:
        """Each stream by its name, in the order of the file; not to be modified."""
        return self.document.streams

    @property
    def inference(self) -> InferenceConfig:
        """The section ``[inference]``."""
        return self.document.inference

    @property
    def log(self) -> LogConfig:
        """The section ``[log]``."""
        return self.document.log
