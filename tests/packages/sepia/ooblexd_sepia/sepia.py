"""The effect itself; only an inference worker imports this."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.plan import EffectPlan

_BROWN = np.array([[0.131, 0.534, 0.272], [0.168, 0.686, 0.349], [0.189, 0.769, 0.393]])


class Sepia:
    """Mixes the colours of each pixel anew."""

    def __init__(self, tone: float) -> None:
        self._mix = tone * _BROWN + (1 - tone) * np.eye(3)

    def apply(self, bgr: NDArray[np.uint8], at: FrameTime) -> bool:
        """Change the picture in place; True says that it may be shown."""
        del at
        cv2.transform(bgr, self._mix, dst=bgr)
        return True

    def close(self) -> None:
        """Nothing was started."""


def build(plan: EffectPlan, context: EffectContext) -> Sepia:
    """Return the effect, ready for its first frame."""
    del context
    return Sepia(plan.parameters["tone"])
