from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.effects.analysis import Beside, Sighting
from ooblexd.errors import EngineError
from ooblexd.pixels import new_planes
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.pixels import Planes

PICTURE = new_planes(4, 4)
PICTURE.y.fill(7)


@pytest.fixture
def opened() -> Iterator[Callable[..., Beside[int]]]:
    """Opens an analysis and closes it afterwards."""
    all_of_them: list[Beside[int]] = []

    def open_one(analyse: Callable[[Planes], int], oldest_ms: int = 500) -> Beside[int]:
        all_of_them.append(Beside(analyse, oldest_ms))
        return all_of_them[-1]

    yield open_one
    for one in all_of_them:
        one.close()


def luma(planes: Planes) -> int:
    return int(planes.y[0, 0])


def seen_by(analysis: Beside[int], at_ns: int) -> Sighting[int]:
    seen: list[Sighting[int]] = []

    def is_seen() -> bool:
        if new := analysis.look(PICTURE, at_ns):
            seen.append(new)
        return bool(seen)

    eventually(is_seen)
    return seen[0]


def test_a_result_names_the_frame_it_is_about(
    opened: Callable[..., Beside[int]],
) -> None:
    assert seen_by(opened(luma), 40) == Sighting(7, 40, (4, 4))


def test_the_video_does_not_wait_for_the_analysis(
    opened: Callable[..., Beside[int]],
) -> None:
    go_on = threading.Event()

    def slow(planes: Planes) -> int:
        go_on.wait(10)
        return luma(planes)

    analysis = opened(slow)

    assert [analysis.look(PICTURE, n * NS_PER_MS) for n in range(5)] == [None] * 5
    go_on.set()
    assert seen_by(analysis, 6 * NS_PER_MS).at_ns == 0


def test_an_analysis_that_hangs_is_too_old(
    opened: Callable[..., Beside[int]],
) -> None:
    go_on, runs = threading.Event(), iter(range(100))

    def hangs_later(planes: Planes) -> int:
        if next(runs) > 0:
            go_on.wait(10)
        return luma(planes)

    analysis = opened(hangs_later, oldest_ms=30)
    seen_by(analysis, 0)

    with pytest.raises(EngineError, match="more than 30 ms old"):
        analysis.look(PICTURE, NS_PER_S)
    go_on.set()


def test_of_a_slow_source_the_frames_own_analysis_is_waited_for(
    opened: Callable[..., Beside[int]],
) -> None:
    analysis = opened(luma, oldest_ms=5000)
    seen_by(analysis, 0)
    eventually(lambda: analysis._todo_ns is None)

    new = analysis.look(PICTURE, 10 * NS_PER_S)

    assert new is not None
    assert new.at_ns == 10 * NS_PER_S


def test_a_failed_analysis_is_raised_and_the_next_one_tried(
    opened: Callable[..., Beside[int]],
) -> None:
    runs = iter(range(100))

    def fails_once(planes: Planes) -> int:
        if next(runs) == 0:
            raise EngineError("the device is gone")
        return luma(planes)

    analysis = opened(fails_once)
    analysis.look(PICTURE, 0)
    eventually(lambda: analysis._failure is not None)

    with pytest.raises(EngineError, match="the device is gone"):
        analysis.look(PICTURE, 1)
    assert seen_by(analysis, 2).result == 7


def test_closing_ends_the_thread(opened: Callable[..., Beside[int]]) -> None:
    analysis = opened(luma)

    analysis.close()
    analysis.close()

    assert "analysis" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(EngineError, match="has ended"):
        analysis.look(PICTURE, 0)
