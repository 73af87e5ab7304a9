"""Writes the time, the stream's name, its frame rate or any text into the picture.

White on a darkened ground, so it can be read on anything. The lines are drawn when what
they say changes, mostly once a second; between, a frame costs the darkening of its
ground and the copy of the letters.

The letters are OpenCV's own. From OpenCV 5 on they are a real font with most scripts
(Latin, Cyrillic, Greek, Hebrew, Chinese, Japanese, and Arabic without its joining);
OpenCV 4 draws ASCII alone, so there accents fall away and the rest becomes ``?``.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from ooblexd.clock import NS_PER_S, unix_us
from ooblexd.effects.grayscale import NEUTRAL
from ooblexd.effects.overlay_text import filled, format_time

if TYPE_CHECKING:
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Plane, Planes
    from ooblexd.plan import EffectPlan

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_HAS_REAL_FONT = int(cv2.__version__.split(".")[0]) >= 5  # noqa: PLR2004 # see above
_PROBE = "Hg"
_DARKENED = 0.3  # of its luma is left of the ground
_WHITE = 235
_PADDING = 0.3  # of a line's height, around the lines
_MARGIN = 0.5  # of a line's height, to the edge of the picture
_FPS_WINDOW_NS = 3 * NS_PER_S
_US_PER_S = 1_000_000


class Label(NamedTuple):
    """Lines of text as they lie in the picture.

    Attributes:
        left: Of the ground, in pixels; even.
        top: Likewise.
        letters: How white each pixel of the ground is, 0..255.
    """

    left: int
    top: int
    letters: Plane


class Overlay:
    """Writes one text.

    Args:
        plan: Complete.
        stream: Its name.
    """

    def __init__(self, plan: EffectPlan, stream: str) -> None:
        said = plan.parameters
        self._text: str = said["text"]
        self._form: str = said["time_format"]
        self._zone: str = said["time_zone"]
        self._position: str = said["position"]
        self._size: float = said["size"]
        self._stream = stream
        self._drawn = ("", (0, 0))
        self._label: Label | None = None
        self._moments: deque[int] = deque()
        self._fps, self._fps_due_ns = "", 0

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """See `ooblexd.effects.Effect.apply`."""
        self._count(at.capture_ns)
        wanted = (self._text_at(at.capture_ns), (planes.width, planes.height))
        if wanted != self._drawn:
            lines = [drawable(line) for line in wanted[0].split("\n")]
            self._label = _drawn(lines, self._position, self._size, wanted[1])
            self._drawn = wanted
        if self._label is not None:
            _lay(self._label, planes)
        return True

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""

    def _text_at(self, capture_ns: int) -> str:
        time = format_time(unix_us(capture_ns), self._form, self._zone)
        values = {"time": time, "name": self._stream, "fps": self._fps}
        return filled(self._text, values)

    def _count(self, capture_ns: int) -> None:
        """Count the frames of the last seconds; the rate is told once a second."""
        moments = self._moments
        if moments and capture_ns < moments[-1]:
            moments.clear()  # another source
        moments.append(capture_ns)
        while capture_ns - moments[0] > _FPS_WINDOW_NS:
            moments.popleft()
        span_ns = capture_ns - moments[0]
        if span_ns and capture_ns >= self._fps_due_ns:
            self._fps = f"{(len(moments) - 1) * NS_PER_S / span_ns:.1f} fps"
            self._fps_due_ns = capture_ns + NS_PER_S


def drawable(text: str) -> str:
    """Return what the font can draw of ``text``."""
    if _HAS_REAL_FONT:
        return text
    bare = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    letters = "".join(one for one in bare if not unicodedata.combining(one))
    return letters.encode("ascii", "replace").decode()


def _drawn(
    lines: list[str], position: str, size: float, picture: tuple[int, int]
) -> Label | None:
    """Draw the lines, smaller where they would not fit; None where nothing does."""
    width, height = picture
    line_px = size * height
    widest = max(_width(line, _scale(line_px)) for line in lines)
    room = width - 2 * (_MARGIN + _PADDING) * line_px
    line_px *= min(1.0, max(room, 1.0) / max(widest, 1))
    scale, padding = _scale(line_px), round(_PADDING * line_px)
    right = max(_width(line, scale) for line in lines) + 2 * padding
    bottom = round(line_px * 1.25 * len(lines)) + 2 * padding
    letters = np.zeros((_even(bottom), _even(right)), np.uint8)
    for number, line in enumerate(lines):
        baseline = padding + round(line_px * (1.25 * number + 0.95))
        at, thick = (padding, baseline), _thickness(scale)
        cv2.putText(letters, line, at, _FONT, scale, 255, thick, cv2.LINE_AA)
    margin = round(_MARGIN * line_px)
    left, top = _corner(position, letters.shape, picture, margin)
    shown = letters[: height - top, : width - left]
    return Label(left, top, np.ascontiguousarray(shown)) if shown.size else None


def _corner(
    position: str, shape: tuple[int, ...], picture: tuple[int, int], margin: int
) -> tuple[int, int]:
    high, wide = shape
    width, height = picture
    if "left" in position:
        left = margin
    else:
        left = width - margin - wide if "right" in position else (width - wide) // 2
    top = margin if "top" in position else height - margin - high
    return max(left, 0) & ~1, max(top, 0) & ~1


def _lay(label: Label, planes: Planes) -> None:
    height, width = label.letters.shape
    here = planes.y[label.top : label.top + height, label.left : label.left + width]
    ground = cv2.convertScaleAbs(here, alpha=_DARKENED)
    rest = cv2.multiply(ground, cv2.bitwise_not(label.letters), scale=1 / 255)
    white = cv2.convertScaleAbs(label.letters, alpha=_WHITE / 255)
    here[...] = cv2.add(rest, white)
    rows = slice(label.top // 2, (label.top + height + 1) // 2)
    columns = slice(label.left // 2, (label.left + width + 1) // 2)
    for chroma in (planes.u, planes.v):
        part = chroma[rows, columns]
        part[...] = cv2.addWeighted(part, _DARKENED, part, 0, NEUTRAL * (1 - _DARKENED))


def _scale(line_px: float) -> float:
    """Return the scale at which a line's letters are ``line_px`` high."""
    (_, high), below = cv2.getTextSize(_PROBE, _FONT, 1.0, 1)
    return line_px / max(high + below, 1)


def _width(line: str, scale: float) -> int:
    return int(cv2.getTextSize(line, _FONT, scale, _thickness(scale))[0][0])


def _thickness(scale: float) -> int:
    return max(1, round(scale * 1.6))


def _even(length: int) -> int:
    return max(2, length + length % 2)


def build(plan: EffectPlan, context: EffectContext) -> Overlay:
    """Return the effect; see `ooblexd.effects.BuildEffect`."""
    return Overlay(plan, context.stream)
