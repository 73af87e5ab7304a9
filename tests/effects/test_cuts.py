"""A cut, and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from ooblexd.effects.cuts import Cuts
from ooblexd.pixels import Planes, new_planes
from tests.support.clips import clip, copied


def cuts_in(pictures: list[Planes]) -> list[int]:
    """Return where a picture is of another scene than the one before it."""
    cuts = Cuts()
    return [n for n, planes in enumerate(pictures) if cuts.is_cut(planes)]


def lit(planes: Planes, gain: float, noise: float = 0.0) -> Planes:
    made = copied(planes)
    grain = np.random.default_rng(3).normal(0, noise, planes.y.shape)
    made.y[:] = np.clip(planes.y * gain + grain, 0, 255).astype(np.uint8)
    return made


@pytest.mark.parametrize("name", ["face.mp4", "pedestrians.mp4"])
def test_nothing_that_moves_is_a_cut(name: str) -> None:
    assert cuts_in(clip(name)) == []


def test_another_scene_is_a_cut_at_its_first_picture() -> None:
    street, face = clip("pedestrians.mp4")[:10], clip("face.mp4")[:10]

    assert cuts_in([*street, *face, *street]) == [10, 20]


@pytest.mark.parametrize("gain", [0.3, 0.6, 1.5])
def test_another_light_is_no_cut(gain: float) -> None:
    street = clip("pedestrians.mp4")[40]

    assert cuts_in([street, lit(street, gain), street]) == []


def test_noise_is_no_cut() -> None:
    street = clip("pedestrians.mp4")[40]

    assert cuts_in([street, lit(street, 1.0, noise=25), street]) == []


def test_darkness_is_a_cut_once_and_its_noise_is_none() -> None:
    street, dark = clip("pedestrians.mp4")[40], new_planes(768, 576)
    dark.y.fill(16)

    assert cuts_in([street, dark, dark, dark, street]) == [1, 4]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 36), (641, 359), (4096, 2)])
def test_pictures_of_any_size_can_be_compared(size: tuple[int, int]) -> None:
    planes = new_planes(*size)
    planes.y.fill(90)

    assert cuts_in([planes, planes, clip("face.mp4")[0]]) == [2]
