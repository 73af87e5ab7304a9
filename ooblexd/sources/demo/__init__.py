"""The built-in demo: a moving scene with real faces and a clock in its pixels.

It needs no camera and no network. The scene is a clip, drawn by ``tools/make_demo`` and
shipped beside this file (``NOTICE`` says of what); the clock is `pixelclock`'s, written
into each picture as it is handed over, so that whoever sees the picture, through
whatever viewer, can read how long ago that was.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.clock import unix_us
from ooblexd.pixels import new_planes
from ooblexd.sources.clip import Clip
from ooblexd.sources.pixelclock import stamp

if TYPE_CHECKING:
    from ooblexd.frame import Matrix
    from ooblexd.pixels import Planes
    from ooblexd.sources import Picture
    from ooblexd.sources.options import SourceOptions

__all__ = ["DEMO_CLIP", "DemoSource", "StampedPicture"]

DEMO_CLIP = Path(__file__).with_name("demo.mp4")
"""1280x720, 30 fps, 12 s, H.264 with a keyframe a second and no B-frames."""


@dataclass(frozen=True, slots=True)
class StampedPicture:
    """A `ooblexd.sources.Picture` of the demo; its copy carries the clock."""

    picture: Picture
    width: int
    height: int
    full_range: bool
    matrix: Matrix
    pts_ns: int
    capture_ns: int
    decoded_ns: int
    tick: int

    def copy_to(self, planes: Planes) -> None:
        """Write the picture as I420 into ``planes``, and its capture time over it."""
        self.picture.copy_to(planes)
        stamp(planes, unix_us(self.capture_ns), self.tick)

    def planes(self) -> Planes:
        """Lend a copy: the decoder needs its own picture without the clock."""
        copy = new_planes(self.width, self.height)
        self.copy_to(copy)
        return copy


class DemoSource:
    """A `ooblexd.sources.Source` that plays the demo for ever.

    The clock's sequence counts ticks of the clip: a gap in it is a late reader.

    Attributes:
        description: What the demo is.
    """

    def __init__(self, options: SourceOptions) -> None:
        self._clip = Clip(str(DEMO_CLIP), options)
        self.description = self._clip.description

    def read(self) -> StampedPicture:
        """Block until the next picture is due."""
        picture = self._clip.read()
        return StampedPicture(
            picture=picture,
            width=picture.width,
            height=picture.height,
            full_range=picture.full_range,
            matrix=picture.matrix,
            pts_ns=picture.pts_ns,
            capture_ns=picture.capture_ns,
            decoded_ns=picture.decoded_ns,
            tick=self._clip.tick,
        )

    def close(self) -> None:
        """Close the clip; a second call does nothing."""
        self._clip.close()
