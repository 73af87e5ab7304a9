"""Which effect is being called, and what follows where the worker does not survive it.

An effect may be anybody's code. What it raises is caught, but one that hangs takes the
worker's loop with it, and one that crashes the process: the supervisor replaces the
worker, and the next life would walk into the same trap. So before each call the worker
leaves the effect's key on the stream's page, which outlives it, and promises to be back
by the effect's deadline and a little more. A life that finds a key there knows which
effect its predecessor was in when it ended, and keeps count.

An effect in which the worker has ended three times rests: it is not called, and its
``on_failure`` decides, for half a minute at first and up to a quarter of an hour. The
other streams of the worker live on meanwhile. Only an end that an effect can bring
about is held against it: not the signal of an operator, nor the kernel's for want of
memory.
"""

from __future__ import annotations

import json
import logging
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.counters import StageWord
from ooblexd.effects import telling_of
from ooblexd.heartbeat import LOOP_S, Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ooblexd.board import Page
    from ooblexd.detection import Detections
    from ooblexd.effects import Effect, FrameTime, Telling
    from ooblexd.heartbeat import Heartbeat
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

from ooblexd.errors import EffectRestsError, WorkerSpentError

_TOLERATED = 2
_FIRST_REST_NS = 30 * NS_PER_S
_LONGEST_REST_NS = 900 * NS_PER_S
_FORGOTTEN_NS = 600 * NS_PER_S  # after its rest: an effect that lived so long is sound
_ROWS, _ROW_WORDS = 8, 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ends:
    """How often the worker has ended in one effect.

    Attributes:
        key: Of the effect's plan.
        count: Ends in a row.
        last_ns: Monotonic time at which the last of them was noticed.
    """

    key: int
    count: int
    last_ns: int

    @property
    def rest_ns(self) -> int:
        """How long the effect is not called after the last of them."""
        beyond = self.count - _TOLERATED - 1
        if beyond < 0:
            return 0
        return min(_FIRST_REST_NS << min(beyond, 10), _LONGEST_REST_NS)

    def and_one_more(self, now_ns: int) -> Ends:
        """Count an end at ``now_ns``; after long enough without one, anew."""
        is_old = now_ns - self.last_ns > self.rest_ns + _FORGOTTEN_NS
        return Ends(self.key, 1 if is_old else self.count + 1, now_ns)


class Call:
    """The ``with`` block around each call of one effect.

    Args:
        words: Of the stream's page.
        heartbeat: Of the worker.
        key: Of the effect.
        within_s: That the call may take before the worker counts as hung.
    """

    def __init__(
        self, words: memoryview, heartbeat: Heartbeat, key: int, within_s: float
    ) -> None:
        self._words = words
        self._heartbeat = heartbeat
        self._key = key
        self._within_s = within_s

    def __enter__(self) -> None:
        self._heartbeat.beat(self._within_s)
        self._words[StageWord.CALL] = self._key

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, WorkerSpentError):  # with that the worker ends in it
            self._words[StageWord.CALL] = 0
        self._heartbeat.beat()


class Calls:
    """The calls of one stream's effects, as its page remembers them.

    Args:
        page: Of the stream in its inference worker; it outlives the worker.
        heartbeat: Of the worker.
    """

    def __init__(self, page: Page, heartbeat: Heartbeat) -> None:
        self._words = page.words
        self._heartbeat = heartbeat

    def of(self, plan: EffectPlan, within_s: float | None = None) -> Call:
        """Return what to put around the calls of an effect.

        Args:
            plan: Of the effect.
            within_s: Until the worker counts as hung; None goes by its deadline.
        """
        if within_s is None:
            within_s = plan.deadline_ms / 1000 + LOOP_S
        return Call(self._words, self._heartbeat, key_of(plan), within_s)

    def look_back(
        self, ending: Ending, plans: Sequence[EffectPlan], stream: str
    ) -> None:
        """Hold the end of the former life against the effect that it was in.

        Args:
            ending: How that life ended.
            plans: Of the stream's chain now.
            stream: Its name, for the log.
        """
        key, self._words[StageWord.CALL] = self._words[StageWord.CALL], 0
        names = {key_of(plan): plan.effect for plan in plans}
        if key not in names or ending not in (Ending.HUNG, Ending.CRASHED):
            return
        ends = self._ends_of(key).and_one_more(monotonic_ns())
        self._write(ends)
        logger.error(
            "[stream %s] the effect %s made its worker %s (%d times in a row); %s",
            stream,
            names[key],
            "hang" if ending is Ending.HUNG else "crash",
            ends.count,
            f"it rests for {ends.rest_ns // NS_PER_S} s" if ends.rest_ns else "again",
        )

    def rest_of(self, plan: EffectPlan) -> Rest | None:
        """Return how long an effect is not to be called; None if it may be."""
        ends = self._ends_of(key_of(plan))
        until_ns = ends.last_ns + ends.rest_ns
        if not ends.rest_ns or monotonic_ns() >= until_ns:
            return None
        return Rest(until_ns, ends.count, ends.rest_ns // NS_PER_S)

    def _ends_of(self, key: int) -> Ends:
        known = [ends for ends in self._read() if ends.key == key]
        return known[0] if known else Ends(key, 0, 0)

    def _read(self) -> list[Ends]:
        starts = range(StageWord.ENDS, StageWord.ENDS + _ROWS * _ROW_WORDS, _ROW_WORDS)
        return [Ends(*self._words[start : start + _ROW_WORDS]) for start in starts]

    def _write(self, ends: Ends) -> None:
        """Write over the row of the same effect, else over the oldest."""
        rows = self._read()
        row = min(
            range(_ROWS), key=lambda n: (rows[n].key != ends.key, rows[n].last_ns)
        )
        start = StageWord.ENDS + row * _ROW_WORDS
        for word, value in enumerate((ends.key, ends.count, ends.last_ns)):
            self._words[start + word] = value


def key_of(plan: EffectPlan) -> int:
    """Return a number that tells an effect with its parameters from others; never 0."""
    return zlib.crc32(json.dumps(asdict(plan), sort_keys=True).encode()) | 1 << 32


@dataclass(frozen=True, slots=True)
class Rest:
    """Why an effect is not called.

    Attributes:
        until_ns: Monotonic time at which it is tried again.
        ends: How often the worker has ended in it.
        length_s: Of the whole rest.
    """

    until_ns: int
    ends: int
    length_s: int


class Resting:
    """Stands in for an effect that rests, and is the effect again after that.

    Args:
        plan: Of the effect.
        rest: How long.
        build: Makes the effect anew.
    """

    def __init__(
        self, plan: EffectPlan, rest: Rest, build: Callable[[], Effect]
    ) -> None:
        self._name = plan.effect
        self._rest = rest
        self._build = build
        self._next_try_ns = rest.until_ns
        self._effect: Effect | None = None
        self._telling: Telling | None = None

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """See `ooblexd.effects.Effect.apply`.

        Raises:
            EffectRestsError: It is not called; once more after it was built again, so
                that its first call is a frame of its own.
        """
        if self._effect is not None:
            return self._effect.apply(planes, at)
        if monotonic_ns() >= self._next_try_ns:
            self._next_try_ns = monotonic_ns() + _FIRST_REST_NS
            self._effect = self._build()
            self._telling = telling_of(self._effect)
        raise EffectRestsError(self._name, self._rest.ends, self._rest.length_s)

    def tell(self, found: Detections | None) -> Detections | None:
        """See `ooblexd.effects.Telling.tell`."""
        return found if self._telling is None else self._telling.tell(found)

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""
        if self._effect is not None:
            self._effect.close()


def is_too_slow(plan: EffectPlan, took_ns: int) -> bool:
    """Say whether a frame has failed because its effect took so long."""
    return took_ns > plan.deadline_ms * NS_PER_MS
