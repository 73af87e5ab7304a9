"""Covers every face: ``blur_faces`` and ``pixelate_faces``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ooblexd.clock import NS_PER_MS
from ooblexd.effects.analysis import Beside, EveryFrame
from ooblexd.effects.cuts import Cuts
from ooblexd.effects.face_finder import FaceFinder
from ooblexd.effects.obscure import blur, head_of, pixelate
from ooblexd.effects.tracks import TrackLimits, advance

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.effects.analysis import Analysis, Sighting
    from ooblexd.effects.boxes import Box, Found
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
        self, plan: EffectPlan, analysis: Analysis[list[Found]], said: dict[str, Any]
    ) -> None:
        self._analysis = analysis
        self._obscure: Callable[[Planes, Box, float], None] = _OBSCURE[plan.effect]
        self._cells = _FINEST + (_COARSEST - _FINEST) * said["strength"]
        self._margin: float = said["margin"]
        self._limits = TrackLimits(said["threshold"], int(said["hold_ms"] * NS_PER_MS))
        self._size = (0, 0)
        self._tracks: tuple[Track, ...] = ()
        self._analysed = 0
        self._cuts = Cuts()
        self._scene_since_ns = 0
        self._scene_analyses = 0

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """See `ooblexd.effects.Effect.apply`."""
        self._restart_at_new_size(planes)
        if self._cuts.is_cut(planes):
            self._scene_since_ns, self._scene_analyses = at.capture_ns, 0
        sighting = self._analysis.look(planes, at.capture_ns)
        if sighting is not None and sighting.size == self._size:
            self._analysed += 1
            self._tracks = self._advanced(sighting)
        for track in self._tracks:
            area = track.area(at.capture_ns)
            self._obscure(planes, head_of(area, self._margin), self._cells)
        return self._analysed >= WARM_AFTER

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""
        self._analysis.close()

    def _advanced(self, sighting: Sighting[list[Found]]) -> tuple[Track, ...]:
        is_of_scene = sighting.at_ns >= self._scene_since_ns
        is_new_scene = is_of_scene and self._scene_analyses < _NEW_SCENE_ANALYSES
        self._scene_analyses += is_of_scene
        return advance(
            self._tracks,
            sighting.result,
            sighting.at_ns,
            self._limits,
            is_new_scene=is_new_scene,
        )

    def _restart_at_new_size(self, planes: Planes) -> None:
        """Another size is another scene: what was tracked says nothing about it."""
        size = (planes.width, planes.height)
        if size != self._size:
            self._size, self._tracks, self._analysed = size, (), 0
            self._scene_analyses = 0


def build(plan: EffectPlan, context: EffectContext) -> Faces:
    """Return either effect on faces; see `ooblexd.effects.build_effect`."""
    said = plan.parameters
    finder = FaceFinder(context.engines, said["detail"])
    least = said["threshold"] * _KEEP_SHARE

    def analyse(planes: Planes) -> list[Found]:
        return finder.find(planes, least)

    kind = Beside if plan.mode == "tracked" else EveryFrame
    return Faces(plan, kind(analyse), said)
