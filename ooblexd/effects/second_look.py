"""Is a doubtful detection a face? Two networks look again, at an enlarged crop of it.

The detector is tuned to miss nobody, so it takes a van's windows and a suit's badges
for faces too, at scores that real ones at an angle have as well. Seen alone and larger
they differ: the detector for near faces sees none there, and the network that places
the landmarks of a face says that there are none to place. Only where both are sure of
that is a detection refused, and only a refusal again and again takes a cover away
(`tracks`). Whoever is sure at once, as of nearly every face, is not asked again.

Of 951 detections of faces that CenterFace found as well (in 60 photographs, plain,
small, dark, half hidden and turned, and in seven films) one look refused four: two of
16 px, a forehead whose whole face was found too, and one behind sunglasses with the
rest hidden. Of 30 in a picture with writing across the faces it refused 12. Of 70
detections of a van it refused 68, of 22 of a suit and a flag 16. The detector for near
faces alone would have refused twice as many faces.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ooblexd.effects.blazeface import SHORT_RANGE, FaceNetwork, View, look
from ooblexd.effects.boxes import Found, Opinion
from ooblexd.effects.tracks import SURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ooblexd.effects.boxes import Box
    from ooblexd.effects.tracks import Track
    from ooblexd.engines import Engine, Engines
    from ooblexd.pixels import Planes

MESH = "face_mesh_468_192"
_MESH_INPUT, _MESH_FLAG, _MESH_PX = "input_1", "conv2d_31", 192

# Edges of a crop, in sizes of the detection, and what is said there. With less around
# it the near detector takes nearly anything round for a face.
_NEAR_CROP, _MESH_CROP = 3.0, 1.8
_NEAR_FACE, _NEAR_NONE = 0.6, 0.45
_MESH_FACE, _MESH_NONE = 2.0, -2.0  # before the sigmoid
_LEAST_SCORE = 0.05

# What is found in a crop is the same thing if it lies and is about as large as that.
_WITHIN, _SMALLEST, _LARGEST = 0.6, 0.3, 2.0

_LEAST_SHARE = 1 / 30  # of the picture's height; smaller covers hurt nobody
_MOST_LOOKS = 2  # at one picture
_SELDOM = 4  # every so manieth picture what is settled is looked at closely


class Looked(NamedTuple):
    """What an analysis says about one picture.

    Attributes:
        found: Every detection, with the opinions on those that were doubtful.
        again: What was seen where doubtful tracks are and nothing was found, by their
            boxes.
    """

    found: list[Found]
    again: Mapping[Box, Opinion] = MappingProxyType({})


class SecondLook:
    """Looks again at what is doubtful; used by one thread at a time."""

    def __init__(self, engines: Engines) -> None:
        """Prepare the networks.

        Raises:
            EngineError: A model cannot be loaded.
        """
        self._near = FaceNetwork(SHORT_RANGE, engines.engine(SHORT_RANGE.model))
        self._mesh: Engine = engines.engine(MESH)
        self._pictures = 0

    def look(
        self,
        planes: Planes,
        found: Sequence[Found],
        tracks: Sequence[Track],
        start_score: float,
    ) -> Looked:
        """Return the detections with opinions on those that need one.

        These are the large enough ones that may start a cover or keep a doubtful one.
        Where that are too many, the rest stays unsure, hence covered.

        Args:
            planes: The picture; read only.
            found: What the detector found there.
            tracks: What is known from the pictures before.
            start_score: From which on a detection is covered that was not before.

        Raises:
            EngineError: An engine failed.
        """
        self._pictures += 1
        doubtful = [track for track in tracks if not track.is_sure]
        least_px = _LEAST_SHARE * planes.height
        looks = 0
        judged = []
        for one in found:
            if (
                looks < _MOST_LOOKS
                and one.box.size >= least_px
                and _is_doubtful(one, tracks, start_score)
            ):
                looks += 1
                settled = any(t.is_settled and t.is_of(one.box) for t in doubtful)
                opinion = self.opinion(planes, one.box, is_settled=settled)
                judged.append(one._replace(opinion=opinion))
            else:
                judged.append(one)
        missed = [
            track.box
            for track in doubtful
            if not track.is_refused and not any(_is_near(track, one) for one in found)
        ]
        again = {
            box: self.opinion(planes, box) for box in missed[: _MOST_LOOKS - looks]
        }
        return Looked(judged, again)

    def opinion(self, planes: Planes, box: Box, *, is_settled: bool = False) -> Opinion:
        """Return what the networks say about one place; the surest is asked first.

        Args:
            planes: The picture.
            box: Where.
            is_settled: Whether it was taken for no face often enough for a short look.
        """
        near = self._score(planes, box)
        if near >= _NEAR_NONE:
            return Opinion.FACE if near >= _NEAR_FACE else Opinion.UNSURE
        if is_settled and self._pictures % _SELDOM:
            return Opinion.NO_FACE
        mesh = self._mesh_flag(planes, box)
        if mesh >= _MESH_NONE:
            return Opinion.FACE if mesh >= _MESH_FACE else Opinion.UNSURE
        return Opinion.NO_FACE

    def _score(self, planes: Planes, box: Box) -> float:
        """Return the best score of a face about there."""
        around = self._near.find(planes, _around(box, _NEAR_CROP), _LEAST_SCORE)
        return max((one.score for one in around if _is_same(one.box, box)), default=0.0)

    def _mesh_flag(self, planes: Planes, box: Box) -> float:
        rgb = look(planes, _around(box, _MESH_CROP), _MESH_PX)
        tensor = np.multiply(rgb, np.float32(1 / 255), dtype=np.float32)
        outputs = self._mesh.run({_MESH_INPUT: tensor[np.newaxis]})
        return float(outputs[_MESH_FLAG].reshape(()))


def _is_doubtful(one: Found, tracks: Sequence[Track], start_score: float) -> bool:
    if one.score >= SURE_SCORE or any(t.is_sure and t.is_of(one.box) for t in tracks):
        return False
    return one.score >= start_score or any(_may_keep(one, t) for t in tracks)


def _may_keep(one: Found, track: Track) -> bool:
    """Say whether a doubtful track may take a detection for its own."""
    if track.is_refused:
        return track.is_of(one.box)
    return not track.is_sure and _is_near(track, one)


def _around(box: Box, crop: float) -> View:
    """Return the square of ``crop`` sizes around the middle, from even pixels on."""
    side = max(4, round(box.size * crop))
    x, y = box.centre
    return View(int(x - side / 2) // 2 * 2, int(y - side / 2) // 2 * 2, side)


def _is_same(one: Box, box: Box) -> bool:
    (x, y), (box_x, box_y) = one.centre, box.centre
    return (
        max(abs(x - box_x), abs(y - box_y)) < _WITHIN * box.size
        and _SMALLEST < one.size / box.size < _LARGEST
    )


def _is_near(track: Track, one: Found) -> bool:
    return track.box.grown(track.box.size).overlap(one.box) > 0
