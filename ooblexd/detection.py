"""What effects have found in a picture, which travels with it to its viewers.

A detection says where something is in the picture *as it is shown*: turned, cropped and
scaled already, since ingest does that before any effect. Places are shares of the
picture, so that they hold for each of its smaller forms too.

Whoever shows another picture in place of it, a held one or a cover, tells none: what
nobody sees is not told about.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

MOST_DETECTIONS = 64
"""Of one picture; the surest of them."""

_UNIT = 65_535
_STRUCT = struct.Struct("<6H")
MOST_DETECTIONS_BYTES = MOST_DETECTIONS * _STRUCT.size


class Label(enum.IntEnum):
    """What can be found; the numbers are places on a page of counters."""

    FACE = 0


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing in one picture.

    Attributes:
        label: What it is.
        score: How sure whoever found it is, 0..1.
        x: Of the left edge, as a share of the picture's width, 0..1.
        y: Of the upper edge, as a share of its height, 0..1.
        width: As a share of the picture's.
        height: Likewise.

    Raises:
        TypeError: ``label`` is no `Label`.
        ValueError: A number is not within 0..1.
    """

    label: Label
    score: float
    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise as at the beginning; what anybody made may have been changed since."""
        if not isinstance(self.label, Label):
            raise TypeError(f"{self.label!r} is no ooblexd.detection.Label")
        for share in (self.score, self.x, self.y, self.width, self.height):
            if not 0 <= share <= 1:
                raise ValueError(f"{self}: all numbers must be within 0..1")


Detections = tuple[Detection, ...]
"""Of one picture, the surest first."""


def surest(found: object) -> Detections | None:
    """Return at most ``MOST_DETECTIONS`` of what an effect, of anybody's, has told.

    Args:
        found: A tuple of `Detection`, or None; anything else is refused.

    Raises:
        TypeError: It is something else.
        ValueError: A number of one is not within 0..1.
    """
    if found is None:
        return None
    if type(found) is not tuple:
        raise TypeError(f"tell returned {type(found).__name__}: want a tuple or None")
    for one in found:
        if type(one) is not Detection:
            raise TypeError(f"{one!r} is no ooblexd.detection.Detection")
        one.check()
    return tuple(sorted(found, key=lambda one: -one.score)[:MOST_DETECTIONS])


def pack_detections(found: Detections) -> bytes:
    """Return ``found`` as the header of a frame carries it, rounded to 1/65535.

    Args:
        found: At most ``MOST_DETECTIONS``.
    """
    return b"".join(
        _STRUCT.pack(
            one.label,
            round(one.score * _UNIT),
            round(one.x * _UNIT),
            round(one.y * _UNIT),
            round(one.width * _UNIT),
            round(one.height * _UNIT),
        )
        for one in found
    )


def unpack_detections(packed: bytes) -> Detections:
    """Return what `pack_detections` packed.

    Raises:
        ValueError: It packed nothing like this.
    """
    if len(packed) % _STRUCT.size:
        raise ValueError(f"no detections in {len(packed)} bytes")
    return tuple(
        Detection(Label(label), *(share / _UNIT for share in shares))
        for label, *shares in _STRUCT.iter_unpack(packed)
    )
