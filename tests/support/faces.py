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
from ooblexd.sources.pixelclock import read_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.effects.boxes import Box

_EVERY = 6  # frames of the clip that are looked at
_SURE = 0.3  # a finder's scores are weighted: that of a large face ends at 0.54
_SURVIVING = 0.35


class Face(NamedTuple):
    """A face of the clip."""

    box: Box
    detail: float


@functools.cache
def clip_faces() -> tuple[dict[int, list[Face]], int]:
    """Return the faces of some frames of the clip by index, and how many it has."""
    finder = FaceFinder(Engines())
    faces: dict[int, list[Face]] = {}
    count = 0
    with av.open(str(DEMO_CLIP)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            count = index + 1
            if index % _EVERY:
                continue
            picture = picture_of(frame, pts_ns=0, capture_ns=0, decoded_ns=0)
            planes = new_planes(picture.width, picture.height)
            picture.copy_to(planes)
            found = finder.find(planes, _SURE)
            faces[index] = [Face(one.box, _detail(planes.y, one.box)) for one in found]
    return faces, count


def uncovered_faces(jpeg: bytes) -> list[Box]:
    """Return the faces that a live picture of the demo shows uncovered.

    Pictures of other frames than those looked at have none, by definition.
    """
    grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    luma = np.asarray(grey, np.uint8)
    mark = read_stamp(luma)
    assert mark is not None, "the clock in the pixels cannot be read"
    faces, count = clip_faces()
    return [
        face.box
        for face in faces.get(mark.sequence % count, [])
        if _detail(luma, face.box) > _SURVIVING * face.detail
    ]


def _detail(luma: NDArray[np.uint8], box: Box) -> float:
    """Return the strength of edges in the inner half of ``box``."""
    height, width = luma.shape
    x, y = box.centre
    left, right = max(0, int(x - box.width / 4)), min(width, int(x + box.width / 4))
    top, bottom = max(0, int(y - box.height / 4)), min(height, int(y + box.height / 4))
    if right - left < 8 or bottom - top < 8:
        return 0.0
    edges = cv2.Laplacian(luma[top:bottom, left:right], cv2.CV_32F, ksize=3)
    return float(np.asarray(edges).std())
