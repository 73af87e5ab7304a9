"""Covers every face: ``blur_faces`` and ``pixelate_faces``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ooblexd.clock import NS_PER_MS
from ooblexd.detection import Detection, Label
from ooblexd.effects.analysis import Beside, EveryFrame
from ooblexd.effects.cuts import Cuts
from ooblexd.effects.face_finder import FaceFinder
from ooblexd.effects.obscure import blur, head_of, pixelate
from ooblexd.effects.second_look import Looked, SecondLook
from ooblexd.effects.tracks import SURE_SCORE, TrackLimits, advance, looked_again

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ooblexd.detection import Detections
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.effects.analysis import Analysis, Sighting
    from ooblexd.effects.boxes import Box
    from ooblexd.effects.tracks import Track
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

WARM_AFTER = 5
"""So many frames are analysed before a picture may be shown: tracks must form first."""

# So many analyses of a new scene may start a track by what is enough to keep one. Of
# 120 frames after a cut to a street with one face of 20 to 32 px, 66 showed it, and now
# 39 do; from 40 px on the detector is sure at once, and nothing changes.
_NEW_SCENE_ANALYSES = 5

_KEEP_SHARE = 0.7  # of the threshold: enough to keep a face that is already covered
_FINEST, _COARSEST = 8.0, 3.0  # mean values across a head, at strength 0 and 1
_OBSCURE = {"blur_faces": blur, "pixelate_faces": pixelate}


class Faces:
    """Covers the faces that an analysis finds, and where tracks say they must be."""

    def __init__(
        self,
        plan: EffectPlan,
        analysis: Callable[[Callable[[Planes], Looked]], Analysis[Looked]],
        analyse: Callable[[Planes, Sequence[Track], float], Looked],
    ) -> None:
        said: dict[str, Any] = plan.parameters
        self._obscure: Callable[[Planes, Box, float], None] = _OBSCURE[plan.effect]
        self._cells = _FINEST + (_COARSEST - _FINEST) * said["strength"]
        self._margin: float = said["margin"]
        self._limits = TrackLimits(said["threshold"], int(said["hold_ms"] * NS_PER_MS))
        looks_again = said["doubtful"] == "look_again"
        self._least_told = SURE_SCORE if looks_again else self._limits.start_score
        self._size = (0, 0)
        self._tracks: tuple[Track, ...] = ()
        self._analysed = 0
        self._cuts = Cuts()
        self._scene_since_ns = 0
        self._scene_analyses = 0
        self._at_ns = 0  # of the newest picture, and of the newest that was analysed
        self._seen_ns = 0
        # Perhaps beside the video: what is known is that of some frame before.
        self._analysis = analysis(
            lambda planes: analyse(planes, self._tracks, self._start_score())
        )

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """See `ooblexd.effects.Effect.apply`."""
        self._restart_at_new_size(planes)
        self._at_ns = at.capture_ns
        if self._cuts.is_cut(planes):
            self._scene_since_ns, self._scene_analyses = at.capture_ns, 0
        sighting = self._analysis.look(planes, at.capture_ns)
        if sighting is not None and sighting.size == self._size:
            self._analysed += 1
            self._seen_ns = sighting.at_ns
            self._tracks = self._advanced(sighting)
        for track in self._tracks:
            if not track.is_refused:
                area = track.area(at.capture_ns)
                self._obscure(planes, head_of(area, self._margin), self._cells)
        return self._analysed >= WARM_AFTER

    def tell(self, found: Detections | None) -> Detections:
        """Add the faces that the newest analysis has seen, where they are by now.

        Not those that are only covered because they were there before, might be there,
        or might be faces; where nobody looks again, the detector is believed.
        """
        own = [
            _detection_of(track, self._at_ns, self._size)
            for track in self._tracks
            if track.seen_ns == self._seen_ns >= self._scene_since_ns
            and (track.is_sure or track.score >= self._least_told)
        ]
        return (*(found or ()), *(one for one in own if one is not None))

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""
        self._analysis.close()

    def _advanced(self, sighting: Sighting[Looked]) -> tuple[Track, ...]:
        is_of_scene = sighting.at_ns >= self._scene_since_ns
        is_new_scene = is_of_scene and self._is_new_scene()
        self._scene_analyses += is_of_scene
        return advance(
            looked_again(self._tracks, sighting.result.again),
            sighting.result.found,
            sighting.at_ns,
            self._limits,
            is_new_scene=is_new_scene,
        )

    def _is_new_scene(self) -> bool:
        return self._scene_analyses < _NEW_SCENE_ANALYSES

    def _start_score(self) -> float:
        return 0.0 if self._is_new_scene() else self._limits.start_score

    def _restart_at_new_size(self, planes: Planes) -> None:
        """Another size is another scene: what was tracked says nothing about it."""
        size = (planes.width, planes.height)
        if size != self._size:
            self._size, self._tracks, self._analysed = size, (), 0
            self._scene_analyses = 0


def _detection_of(track: Track, at_ns: int, size: tuple[int, int]) -> Detection | None:
    """Return what is told of a face; nothing of one that is beyond the picture."""
    width, height = size
    box = track.box.moved(*track.moved_by(at_ns))
    left, right = max(box.left, 0) / width, min(box.right, width) / width
    top, bottom = max(box.top, 0) / height, min(box.bottom, height) / height
    if left >= right or top >= bottom:
        return None
    score = min(max(track.score, 0.0), 1.0)
    return Detection(Label.FACE, score, left, top, right - left, bottom - top)


def build(plan: EffectPlan, context: EffectContext) -> Faces:
    """Return either effect on faces; see `ooblexd.effects.build_effect`."""
    said = plan.parameters
    finder = FaceFinder(context.engines, said["detail"])
    looks_again = said["doubtful"] == "look_again"
    second = SecondLook(context.engines) if looks_again else None
    least = said["threshold"] * _KEEP_SHARE

    def analyse(planes: Planes, tracks: Sequence[Track], start_score: float) -> Looked:
        found = finder.find(planes, least)
        if second is None:
            return Looked(found)
        return second.look(planes, found, tracks, start_score)

    return Faces(plan, Beside if plan.mode == "tracked" else EveryFrame, analyse)
