"""What each effect may be told: its own keys, their kinds, ranges and defaults, once.

Only the configuration and the control API load these models (pydantic). An inference
worker is given what they return, as plain values in `ooblexd.plan.EffectPlan`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ooblexd.effects.overlay_text import (
    LONGEST_FORMAT,
    LONGEST_TEXT,
    check_text,
    check_time_format,
)
from ooblexd.effects.polygons import problem_of

MOST_POLYGONS = 8
MOST_POINTS = 40


class Parameters(BaseModel):
    """The parameters of an effect; other packages subclass it too.

    A field has a type, a default unless it must be given, a range (``ge`` and ``le``)
    and a ``description``, a sentence for people. Values come from TOML or JSON, so a
    list is a ``list``; they reach the effect as `plain` makes them. What a validator
    objects to, it raises as ``ValueError`` with a message that says what was found and
    what is allowed.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_default=True,
    )


class NoParameters(Parameters):
    """Of an effect that has nothing to be told."""


class FacesParameters(Parameters):
    """Of ``blur_faces`` and ``pixelate_faces``."""

    strength: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="How coarse the covered face becomes; irreversible at 0 too.",
    )
    margin: float = Field(
        default=0.4,
        ge=0.3,
        le=1.5,
        description="How far the cover goes beyond the face, as a share of its size.",
    )
    hold_ms: float = Field(
        default=1000,
        ge=200,
        le=10_000,
        description="How long a face stays covered that the detector no longer sees.",
    )
    threshold: float = Field(
        default=0.3,
        ge=0.05,
        le=0.95,
        description="How sure the detector must be of a new face; less finds more, "
        "rightly and wrongly. A face already covered needs less.",
    )
    detail: Literal["normal", "high"] = Field(
        default="normal",
        description="`high` looks at smaller parts as well: it finds faces two thirds "
        "as large and costs four times as much.",
    )
    doubtful: Literal["look_again", "cover"] = Field(
        default="look_again",
        description="What may be no face: `look_again` leaves it alone once two other "
        "networks have taken it for none three times, `cover` never does.",
    )


class BlurParameters(Parameters):
    """Of ``blur``."""

    strength: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="From soft (0) to a few patches of colour (1).",
    )


class EdgesParameters(Parameters):
    """Of ``edges``."""

    threshold: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="How strong an outline must be; less draws more.",
    )
    ground: Literal["black", "white"] = Field(
        default="black", description="What the outlines are drawn on."
    )


class OverlayParameters(Parameters):
    """Of ``overlay``."""

    text: Annotated[str, AfterValidator(check_text)] = Field(
        default="{name}  {time}",
        min_length=1,
        max_length=LONGEST_TEXT,
        description="What is written; {time}, {name} (of the stream) and {fps} stand "
        "for what they say, {{ and }} for braces, and \\n begins a new line.",
    )
    time_format: Annotated[str, AfterValidator(check_time_format)] = Field(
        default="%Y-%m-%d %H:%M:%S",
        min_length=1,
        max_length=LONGEST_FORMAT,
        description="How {time} is written, as strftime has it.",
    )
    time_zone: Literal["local", "utc"] = Field(
        default="local", description="Of {time}: this machine's zone, or UTC."
    )
    position: Literal[
        "top_left", "top", "top_right", "bottom_left", "bottom", "bottom_right"
    ] = Field(default="top_left", description="Where it stands.")
    size: float = Field(
        default=0.035,
        ge=0.015,
        le=0.2,
        description="Height of a line, as a share of the picture's height.",
    )


def _check_polygon(points: list[list[float]]) -> list[list[float]]:
    if any(len(point) != 2 for point in points):  # noqa: PLR2004 # x and y
        raise ValueError("each point must be a list of two numbers, [x, y]")
    if problem := problem_of([(x, y) for x, y in points]):
        raise ValueError(problem)
    return points


def _rounded(share: float) -> float:
    """Keep to a tenth of a pixel of 1000: what a mouse draws has sixteen digits."""
    return round(share, 4)


Share = Annotated[float, Field(ge=0, le=1), AfterValidator(_rounded)]
"""A place in the picture, from its left or its top."""

# The limits of which `_check_polygon` speaks in words of its own.
Point = Annotated[list[Share], Field(json_schema_extra={"minItems": 2, "maxItems": 2})]
Polygon = Annotated[
    list[Point],
    Field(max_length=MOST_POINTS, json_schema_extra={"minItems": 3}),
    AfterValidator(_check_polygon),
]
"""Corners in their order, each a list of x and y; it closes itself."""


class PrivacyZoneParameters(Parameters):
    """Of ``privacy_zone``."""

    polygons: list[Polygon] = Field(
        min_length=1,
        max_length=MOST_POLYGONS,
        description="What is covered: polygons of corners [x, y], in shares of the "
        "picture from its left and its top, 0 to 1.",
    )
    cover: Literal["fill", "blur"] = Field(
        default="fill",
        description="By one colour, or by a blur that leaves a few patches of colour.",
    )


def plain(parameters: BaseModel) -> dict[str, object]:
    """Return every parameter, the defaults too, as JSON has it."""
    return parameters.model_dump(mode="json")
