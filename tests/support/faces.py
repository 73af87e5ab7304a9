"""Says whether a picture of the demo shows a face that the demo's own clip shows.

It does not ask the effect: where the faces are was found once in the clip itself, and
whether one is uncovered is measured in the pixels, as the share of the fine detail of
its inner half (eyes, nose, mouth) that has survived.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import av
import cv2
import numpy as np

from ooblexd.effects.face_finder import FaceFinder
from ooblexd.engines import Engines
from ooblexd.pixels import new_planes
from ooblexd.sources.demo import DEMO_CLIP
from ooblexd.sources.picture import picture_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.effects.boxes import Box

_EVERY = 6  # frames of the clip that are looked at
_SURE = 0.46  # of those in the clip; its white van is taken for one at 0.44
_SURVIVING = 0.35


class Face(NamedTuple):
    """A face of the clip."""

    box: Box
    detail: float


class Truth(NamedTuple):
    """What the clip shows.

    Attributes:
        faces: Of some of its frames, by their index.
        thumbnails: Of all its frames, ``(frames, 36 * 64)``, full range.
    """

    faces: dict[int, list[Face]]
    thumbnails: NDArray[np.float32]


@functools.cache
def clip_truth() -> Truth:
    """Look for the faces of the clip, and remember how each frame looks."""
    finder = FaceFinder(Engines())
    faces: dict[int, list[Face]] = {}
    thumbnails = []
    with av.open(str(DEMO_CLIP)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            picture = picture_of(frame, pts_ns=0, capture_ns=0, decoded_ns=0)
            planes = new_planes(picture.width, picture.height)
            picture.copy_to(planes)
            full = (planes.y.astype(np.float32) - 16) * np.float32(255 / 219)
            thumbnails.append(_thumbnail(full))
            if index % _EVERY == 0:
                found = finder.find(planes, _SURE)
                faces[index] = [Face(one.box, _detail(full, one.box)) for one in found]
    return Truth(faces, np.stack(thumbnails))


def uncovered_faces(jpeg: bytes) -> list[Box]:
    """Return the faces that a live picture of the demo shows uncovered.

    Which frame of the clip it is, its looks tell: covers change little of a thumbnail.
    Pictures of other frames than those looked at have no faces, by definition.
    """
    grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    luma = np.asarray(grey, np.float32)
    truth = clip_truth()
    differences = np.abs(truth.thumbnails - _thumbnail(luma)).mean(axis=1)
    return [
        face.box
        for face in truth.faces.get(int(differences.argmin()), [])
        if _detail(luma, face.box) > _SURVIVING * face.detail
    ]


def _thumbnail(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the picture at 64x36 in one row, without the clock at its lower edge."""
    small = cv2.resize(luma, (64, 36), interpolation=cv2.INTER_AREA)
    return np.asarray(small[:34], np.float32).reshape(-1)


def _detail(luma: NDArray[np.float32], box: Box) -> float:
    """Return the strength of edges in the inner half of ``box``."""
    height, width = luma.shape
    x, y = box.centre
    left, right = max(0, int(x - box.width / 4)), min(width, int(x + box.width / 4))
    top, bottom = max(0, int(y - box.height / 4)), min(height, int(y + box.height / 4))
    if right - left < 8 or bottom - top < 8:
        return 0.0
    edges = cv2.Laplacian(luma[top:bottom, left:right], cv2.CV_32F, ksize=3)
    return float(np.asarray(edges).std())
