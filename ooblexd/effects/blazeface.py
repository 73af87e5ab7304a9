"""Finds faces in an I420 picture with the BlazeFace networks.

A network looks at a square *view* of the picture. The planes are cut and resized first
and only the small square becomes RGB: 0.3 ms, where turning the whole picture into
BGR would cost several times that and use nothing of it.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile
GPUs" (2019); anchors and decoding as in MediaPipe's published graphs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ooblexd.effects.boxes import Box, Found, distinct

if TYPE_CHECKING:
    from ooblexd.engines import Engine
    from ooblexd.pixels import Plane, Planes

Floats = NDArray[np.float32]

_MAX_CANDIDATES = 200


class View(NamedTuple):
    """A square part of a picture, in pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int


@dataclass(frozen=True, slots=True)
class BlazeFace:
    """How to feed one of the networks and read its answer.

    Attributes:
        model: Its name in the manifest.
        side_px: Edge of the square that it takes.
        input: Name of its input.
        scores: Names of the score outputs, in the order of the anchors.
        boxes: Names of the box outputs, likewise.
        grids: ``(stride in pixels, anchors a cell)`` of each layer, likewise.
    """

    model: str
    side_px: int
    input: str
    scores: tuple[str, ...]
    boxes: tuple[str, ...]
    grids: tuple[tuple[int, int], ...]

    def anchors(self) -> Floats:
        """Return the anchors' centres, ``(n, 2)``, x and y as shares of the square."""
        centres = []
        for stride, copies in self.grids:
            cells = self.side_px // stride
            axis = (np.arange(cells, dtype=np.float32) + 0.5) / cells
            y, x = np.meshgrid(axis, axis, indexing="ij")
            centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), copies, 0))
        return np.concatenate(centres)


SHORT_RANGE = BlazeFace(
    model="blazeface_short_range_128",
    side_px=128,
    input="input",
    scores=("classificators",),
    boxes=("regressors",),
    grids=((8, 2), (16, 6)),
)
FULL_RANGE = BlazeFace(
    model="blazeface_full_range_192",
    side_px=192,
    input="input",
    scores=("reshaped_classifier_face_4",),
    boxes=("reshaped_regressor_face_4",),
    grids=((4, 1),),
)
BACK = BlazeFace(
    model="blazeface_back_256",
    side_px=256,
    input="input:0",
    scores=("Identity:0", "Identity_1:0"),
    boxes=("Identity_2:0", "Identity_3:0"),
    grids=((16, 2), (32, 6)),
)


class FaceNetwork:
    """One network on one engine; used by one thread."""

    def __init__(self, kind: BlazeFace, engine: Engine) -> None:
        self.kind = kind
        self._engine = engine
        self._anchors = kind.anchors()

    def find(self, planes: Planes, view: View, threshold: float) -> list[Found]:
        """Return the faces in ``view``, in pixels of the whole picture, best first.

        Args:
            planes: Of any size; read only.
            view: What to look at, see `look`.
            threshold: Least score, between 0 and 1.

        Raises:
            EngineError: The engine failed.
        """
        rgb = look(planes, view, self.kind.side_px)
        tensor = np.multiply(rgb, np.float32(1 / 127.5), dtype=np.float32)
        tensor -= np.float32(1)
        outputs = self._engine.run({self.kind.input: tensor[np.newaxis]})
        logits = _joined(outputs, self.kind.scores)[:, 0]
        (candidates,) = np.nonzero(logits >= math.log(threshold / (1 - threshold)))
        order = candidates[np.argsort(-logits[candidates])][:_MAX_CANDIDATES]
        scores = 1 / (1 + np.exp(-logits[order]))
        raw = _joined(outputs, self.kind.boxes)[order]
        return distinct(
            Found(box, float(score))
            for box, score in zip(self._boxes(raw, order, view), scores, strict=True)
        )

    def _boxes(self, raw: Floats, order: NDArray[np.intp], view: View) -> list[Box]:
        side = self.kind.side_px
        centres = (raw[:, :2] / side + self._anchors[order]) * view.side
        halves = raw[:, 2:4] / side * view.side / 2
        corners = np.concatenate([centres - halves, centres + halves], 1)
        corners += np.array([view.left, view.top, view.left, view.top], np.float32)
        return [Box(*map(float, row)) for row in corners]


def look(planes: Planes, view: View, side_px: int) -> NDArray[np.uint8]:
    """Return ``view`` as RGB, ``(side_px, side_px, 3)``; BT.601, limited range.

    Cameras of other colour spaces come out a little paler or stronger, which the
    networks do not mind. Beyond its edges the picture is mirrored: of a face that is
    half outside, the mirror makes a whole one, which the networks know. (Of
    16 faces of 60 to 250 px half beyond an edge, views with a rim found all mirrored
    and 13 with black there, at a raw score of 0.35.)
    """
    half = side_px // 2
    small = np.empty((side_px * 3 // 2, side_px), np.uint8)
    small[:side_px] = _cut(planes.y, view, side_px)
    chroma = View(view.left // 2, view.top // 2, max(1, view.side // 2))
    small[side_px:].reshape(2, half, half)[0] = _cut(planes.u, chroma, half)
    small[side_px:].reshape(2, half, half)[1] = _cut(planes.v, chroma, half)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_YUV2RGB_I420), np.uint8)


def _cut(plane: Plane, view: View, side_px: int) -> Plane:
    height, width = plane.shape
    left, right = _visible(view.left, view.side, width)
    top, bottom = _visible(view.top, view.side, height)
    x, to_x = _scaled(left - view.left, right - view.left, side_px / view.side, side_px)
    y, to_y = _scaled(top - view.top, bottom - view.top, side_px / view.side, side_px)
    small = _resized(plane[top:bottom, left:right], to_x - x, to_y - y)
    around = (y, side_px - to_y, x, side_px - to_x)
    return np.asarray(
        cv2.copyMakeBorder(small, *around, borderType=cv2.BORDER_REFLECT), np.uint8
    )


def _visible(start: int, side: int, length: int) -> tuple[int, int]:
    """Return the part of a view within a plane; one pixel at least."""
    first = min(max(start, 0), length - 1)
    return first, max(first + 1, min(start + side, length))


def _scaled(first: int, last: int, scale: float, side_px: int) -> tuple[int, int]:
    start = min(max(0, round(first * scale)), side_px - 1)
    return start, min(max(start + 1, round(last * scale)), side_px)


def _resized(part: Plane, width: int, height: int) -> Plane:
    """Halve while that is not too small, then interpolate.

    As free of aliases as OpenCV's area resize to odd ratios, and ten times as fast
    (0.09 ms against 1.08 ms for 749x720 to 247x237).
    """
    while part.shape[1] >= 2 * width and part.shape[0] >= 2 * height:
        even = part[: part.shape[0] // 2 * 2, : part.shape[1] // 2 * 2]
        half = (even.shape[1] // 2, even.shape[0] // 2)
        part = np.asarray(
            cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(
        cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
    )


def _joined(outputs: dict[str, NDArray[np.float32]], names: tuple[str, ...]) -> Floats:
    return np.concatenate([outputs[name][0] for name in names])
