"""What ``tests/benchmarks/bench_end_to_end`` measures, and what follows from that."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SOURCES = {"demo": "demo", "jpg": "HTTP, MJPEG", "264": "RTSP, H.264"}
ALONE, ENCODER = "source alone", "source and encoder"
MIB = 1024 * 1024
_LEAST_FPS = 29.5  # what is counted over a while misses pictures at its ends
_MOST_P50_MS, _MOST_P99_MS = 10, 25
_MOST_CPU = {1: 22, 8: 27}
_MOST_MB, _MOST_FURTHER_MB = 250, 120


class Case(NamedTuple):
    """What is measured: a source, the chain, and who looks."""

    source: str  # demo, or the kind of a numbered camera's units
    effects: str
    viewers: int
    streams: int = 1
    program: str = "ooblexd"


class Result(NamedTuple):
    """Of one case; ages in ms of one viewer, the rest of the whole program."""

    source: str
    program: str
    effects: str
    streams: int
    viewers: int
    age_p50_ms: float | None = None
    age_p99_ms: float | None = None
    age_worst_ms: float | None = None
    fps: float | None = None
    cpu_percent: float | None = None
    floors: float | None = None
    memory_mib: float | None = None
    further_mib: float | None = None
    note: str = ""
    ages_ms: list[float] = []  # noqa: RUF012 # a default nobody changes


class Round:
    """The results of one round so far, of which later ones are shares of earlier ones.

    Ratios are of one round, whose cases had the same machine beside them.
    """

    def __init__(self) -> None:
        self._results: dict[Case, Result] = {}

    def add(self, case: Case, result: Result) -> Result:
        """Return the result with what follows from others."""
        floor = self._of(Case(case.source, "none", 0, program=ENCODER))
        one = self._of(case._replace(streams=1))
        if floor.cpu_percent and result.cpu_percent and case.effects == "none":
            each = result.cpu_percent / case.streams
            result = result._replace(floors=each / floor.cpu_percent)
        if one.memory_mib and result.memory_mib and case.streams > 1:
            further = (result.memory_mib - one.memory_mib) / (case.streams - 1)
            result = result._replace(further_mib=further)
        self._results[case] = result
        return result

    def _of(self, case: Case) -> Result:
        return self._results.get(case, named(case))


def middle(results: Sequence[Result]) -> Result:
    """Return the medians of one case's results, field by field, and every age."""
    return results[0]._replace(
        age_p50_ms=_median(one.age_p50_ms for one in results),
        age_p99_ms=_median(one.age_p99_ms for one in results),
        age_worst_ms=_median(one.age_worst_ms for one in results),
        fps=_median(one.fps for one in results),
        cpu_percent=_median(one.cpu_percent for one in results),
        floors=_median(one.floors for one in results),
        memory_mib=_median(one.memory_mib for one in results),
        further_mib=_median(one.further_mib for one in results),
        ages_ms=[age for one in results for age in one.ages_ms],
    )


def judged(results: Iterable[Result]) -> Iterator[Result]:
    """Say of the daemon's results without effect which bars they miss.

    Args:
        results: Medians; that of a source alone before those of its other cases.
    """
    bare_ms: dict[str, float] = {}
    for result in results:
        if result.program == ALONE and result.source != SOURCES["demo"]:
            bare_ms[result.source] = result.age_p50_ms or 0
        if result.program == "ooblexd" and result.effects == "none":
            beyond = "; ".join(missed(result, bare_ms.get(result.source, 0)))
            yield result._replace(note=beyond or "meets each bar")
        else:
            yield result


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def missed(result: Result, bare_ms: float) -> Iterator[str]:
    """Name each bar that a daemon's result without effect is beyond.

    Args:
        result: Of a case that was measured.
        bare_ms: The median age at which the source alone has a picture.
    """
    if result.streams > 1:
        further_mb = (result.further_mib or 0) * MIB / 1e6
        bars = [("a further stream", further_mb, _MOST_FURTHER_MB, "MB")]
    else:
        bars = [
            ("p50", (result.age_p50_ms or 0) - bare_ms, _MOST_P50_MS, "ms"),
            ("p99", (result.age_p99_ms or 0) - bare_ms, _MOST_P99_MS, "ms"),
            ("CPU", result.cpu_percent or 0, _MOST_CPU[result.viewers], "%"),
            ("memory", (result.memory_mib or 0) * MIB / 1e6, _MOST_MB, "MB"),
        ]
        if result.fps is None or result.fps < _LEAST_FPS:
            yield f"{result.fps or 0:.3g} fps, not 30"
    for name, found, most, unit in bars:
        if found > most:
            yield f"{name} {found:.0f} {unit}, not {most}"


def named(case: Case) -> Result:
    """Return a result in which nothing was measured."""
    source = SOURCES[case.source]
    return Result(source, case.program, case.effects, case.streams, case.viewers)


def with_ages(result: Result, ages_ms: list[float]) -> Result:
    """Return the result with these ages, and what they amount to."""
    ages_ms = sorted(ages_ms)
    return result._replace(
        age_p50_ms=median(ages_ms),
        age_p99_ms=ages_ms[min(int(0.99 * len(ages_ms)), len(ages_ms) - 1)],
        age_worst_ms=ages_ms[-1],
        ages_ms=ages_ms,
    )
