"""A picture as BGR and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ooblexd.effects.bgr import OnBgr, Picture, bgr_of, store_bgr
from ooblexd.frame import FrameHeader, Verdict
from ooblexd.pixels import Planes, new_planes
from ooblexd.plan import EffectPlan
from ooblexd.stages.chain import Chain
from tests.support.clips import clip, copied
from tests.support.contracts import EffectContract, at_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.effects import FrameTime

FRAME = FrameHeader(sequence=1, width=32, height=18, capture_ns=1)


@dataclass
class Redden:
    """Makes everything redder, and remembers which memory it was given."""

    seen: list[NDArray[np.uint8]] = field(default_factory=list)

    def apply(self, bgr: NDArray[np.uint8], at: FrameTime) -> bool:
        assert at.capture_ns >= 0
        assert bgr.flags.c_contiguous
        bgr[..., 2] = 255
        self.seen.append(bgr)
        return True

    def close(self) -> None:
        """Nothing was started."""


class Look:
    """An effect on I420 that changes nothing."""

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        assert planes.width > 0
        return at.sequence >= 0

    def close(self) -> None:
        """Nothing was started."""


class TestOnBgr(EffectContract):
    @pytest.fixture
    def effect(self) -> OnBgr:
        return OnBgr(Redden())


@pytest.mark.parametrize("full_range", [False, True])
def test_a_picture_comes_back_as_it_was(*, full_range: bool) -> None:
    before = clip("pedestrians.mp4")[40]
    planes = copied(before)

    store_bgr(bgr_of(planes, full_range=full_range), planes, full_range=full_range)

    for old, new in zip(before, planes, strict=True):
        assert np.abs(old.astype(int) - new.astype(int)).mean() < 1.5


@pytest.mark.parametrize(("luma", "full_range"), [(16, False), (0, True)])
def test_black_is_black_whatever_the_range(luma: int, *, full_range: bool) -> None:
    planes = new_planes(8, 6)
    for plane, value in zip(planes, (luma, 128, 128), strict=True):
        plane.fill(value)

    bgr = bgr_of(planes, full_range=full_range)

    assert bgr.shape == (6, 8, 3)
    assert bgr.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 47), (65, 48)])
def test_odd_pictures_keep_their_size_and_colour(size: tuple[int, int]) -> None:
    planes = new_planes(*size)
    for plane, value in zip(planes, (100, 90, 160), strict=True):
        plane.fill(value)

    bgr = bgr_of(planes, full_range=False)
    store_bgr(bgr, planes, full_range=False)

    assert bgr.shape == (size[1], size[0], 3)
    for plane, value in zip(planes, (100, 90, 160), strict=True):
        assert np.abs(plane.astype(int) - value).max() <= 2


def test_a_picture_is_converted_only_where_neighbours_differ() -> None:
    planes = new_planes(32, 18)
    for plane in planes:
        plane.fill(128)
    first, second, third = Redden(), Redden(), Redden()
    effects = (OnBgr(first), OnBgr(second), Look(), OnBgr(third))
    plan = EffectPlan("none")

    verdict = Chain(tuple((plan, one) for one in effects), 1).run(planes, FRAME)

    assert verdict is Verdict.LIVE
    assert first.seen[0] is second.seen[0]
    assert third.seen[0] is not first.seen[0]
    assert planes.v.min() > 170


def test_an_effect_on_bgr_works_alone_too() -> None:
    planes = new_planes(32, 18)
    for plane in planes:
        plane.fill(128)

    assert OnBgr(Redden()).apply(planes, replace(at_frame(3), full_range=True))
    assert planes.v.min() > 170


def test_a_picture_that_nobody_wants_as_bgr_is_not_touched() -> None:
    planes = new_planes(32, 18)

    assert Picture(planes, full_range=False).planes() is planes
