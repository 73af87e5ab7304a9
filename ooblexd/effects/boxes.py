"""Rectangles in a picture, and what a detector says about one."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Box(NamedTuple):
    """A rectangle in pixels, ``right`` and ``bottom`` exclusive; fractions allowed."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In pixels."""
        return self.bottom - self.top

    @property
    def size(self) -> float:
        """The longer edge, in pixels."""
        return max(self.width, self.height)

    @property
    def area(self) -> float:
        """In square pixels."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """Of the middle, x and y, in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def moved(self, x_px: float, y_px: float) -> Box:
        """Return the box elsewhere."""
        return Box(
            self.left + x_px, self.top + y_px, self.right + x_px, self.bottom + y_px
        )

    def grown(self, by_px: float) -> Box:
        """Return the box with each edge ``by_px`` farther out."""
        return Box(
            self.left - by_px, self.top - by_px, self.right + by_px, self.bottom + by_px
        )

    def joined(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def overlap(self, other: Box) -> float:
        """Return the area that both share, in square pixels."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area

    def iou(self, other: Box) -> float:
        """Return the shared area as a share of the joint one, 0..1."""
        shared = self.overlap(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def holds(self, other: Box) -> bool:
        """Say whether ``other`` lies inside, edges included."""
        return self.joined(other) == self


class Opinion(Enum):
    """What a second look at a detection said."""

    FACE = "a face"
    UNSURE = "perhaps a face, or nobody looked"
    NO_FACE = "no face"


class Found(NamedTuple):
    """One detection.

    Attributes:
        box: Where.
        score: How sure the network is, 0..1.
        opinion: That of others, where the network was not sure.
    """

    box: Box
    score: float
    opinion: Opinion = Opinion.UNSURE


def distinct(found: Iterable[Found], same_iou: float = 0.3) -> list[Found]:
    """Drop every detection that overlaps a better one; the best come first.

    The classic greedy suppression. Boxes without a size are dropped too.
    """
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: -one.score):
        if one.box.area > 0 and all(one.box.iou(k.box) < same_iou for k in kept):
            kept.append(one)
    return kept
