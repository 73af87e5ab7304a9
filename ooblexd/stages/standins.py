"""Covers and slates: what is shown instead of a frame. Output alone makes them.

A cover is the newest protected picture reduced to at most 24x14 and enlarged: colours
and a hint of the scene stay, nobody can be told. A slate says in words what is wrong.
Both are drawn once and repeated; neither is made while nobody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from ooblexd.encoders.jpeg import encode_bgr

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVER_WIDTH = 24
COVER_HEIGHT = 14
_QUALITY = 85
_FONT = cv2.FONT_HERSHEY_DUPLEX
_BACKGROUND = (38, 32, 28)  # BGR
_TITLE = (240, 236, 232)
_TEXT = (170, 160, 152)
_ACCENT = (86, 140, 255)
_MOST_LINES = 4
_LEAST_WIDTH = 320
_LEAST_HEIGHT = 180


class Size(NamedTuple):
    """Of a picture, in pixels."""

    width: int
    height: int


def make_cover(
    protected_jpeg: NDArray[np.uint8] | None, size: Size
) -> NDArray[np.uint8]:
    """Return a cover of ``size`` as JPEG bytes, uint8.

    Args:
        protected_jpeg: The bytes of the newest picture that satisfies the required
            revision; without one the cover is plain.
        size: Of the pictures it stands in for.
    """
    if protected_jpeg is None:
        return encode_bgr(_plain(size), _QUALITY)
    picture = cv2.imdecode(protected_jpeg, cv2.IMREAD_REDUCED_COLOR_4)
    if picture is None:
        return encode_bgr(_plain(size), _QUALITY)
    cells = (min(COVER_WIDTH, size.width), min(COVER_HEIGHT, size.height))
    reduced = cv2.resize(picture, cells, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(reduced, size, interpolation=cv2.INTER_CUBIC)
    return encode_bgr(np.asarray(enlarged, np.uint8), _QUALITY)


def make_slate(stream: str, title: str, reason: str, size: Size) -> NDArray[np.uint8]:
    """Return a slate as JPEG bytes, uint8: the stream's name, what is, and why."""
    size = Size(max(size.width, _LEAST_WIDTH), max(size.height, _LEAST_HEIGHT))
    picture = _plain(size)
    unit = min(size.width / 640, size.height / 360)
    left, top = int(48 * unit), int(size.height / 2 - 40 * unit)
    cv2.rectangle(
        picture,
        (left - int(20 * unit), top - int(26 * unit)),
        (left - int(14 * unit), top + int(92 * unit)),
        _ACCENT,
        -1,
    )
    widest = size.width - 2 * left
    name_scale = _fitting(_ascii(stream), 0.62 * unit, widest)
    _write(picture, _ascii(stream), (left, top), name_scale, _TEXT)
    _write(picture, _ascii(title), (left, top + int(38 * unit)), 1.0 * unit, _TITLE)
    baseline = top + int(68 * unit)
    for line in _wrapped(_ascii(reason), 0.52 * unit, widest):
        _write(picture, line, (left, baseline), 0.52 * unit, _TEXT)
        baseline += int(22 * unit)
    return encode_bgr(picture, _QUALITY)


def _plain(size: Size) -> NDArray[np.uint8]:
    picture = np.empty((size.height, size.width, 3), np.uint8)
    picture[:] = _BACKGROUND
    return picture


def _write(
    picture: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    thickness = _thickness(scale)
    cv2.putText(picture, text, at, _FONT, scale, colour, thickness, cv2.LINE_AA)


def _fitting(text: str, scale: float, widest: int) -> float:
    """Return ``scale``, or a smaller one at which ``text`` is not too wide."""
    return scale * min(1.0, widest / max(_width(text, scale), 1))


def _wrapped(text: str, scale: float, widest: int) -> list[str]:
    """Return the lines of ``text``; what is too long for them ends in dots."""
    lines: list[str] = []
    for word in _pieces(text, scale, widest):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, scale) <= widest:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1][:-3] + "..."]
    return lines


def _pieces(text: str, scale: float, widest: int) -> list[str]:
    """Return the words of ``text``, those wider than a line broken up."""
    pieces: list[str] = []
    for word in text.split():
        fits = max(int(len(word) * widest / (1.1 * max(_width(word, scale), 1))), 1)
        is_wide = _width(word, scale) > widest
        step = fits if is_wide else len(word)
        pieces += [word[at : at + step] for at in range(0, len(word), step)]
    return pieces


def _width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, _thickness(scale))[0][0])


def _thickness(scale: float) -> int:
    return max(1, round(scale * 1.4))


def _ascii(text: str) -> str:
    """OpenCV draws ASCII alone; anything else would become question marks anyway."""
    return text.encode("ascii", "replace").decode()
