"""What the explorer runs: writers and readers of the ring in all their situations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ooblexd.ring import control as control_module
from ooblexd.ring import reader as reader_module
from ooblexd.ring import writer as writer_module
from ooblexd.ring.spec import (
    FIRST_AT,
    LATEST_AT,
    RingSpec,
    held_at,
    pack_latest,
    waiting_at,
)
from tests.ring.automata import Automaton, Script, Wrong
from tests.ring.explorer import Scenario, Thread

if TYPE_CHECKING:
    from collections.abc import Callable

    Act = Callable[[Any, Script], tuple[Any, int | None]]


class Code(NamedTuple):
    """The code that runs: the real one, or a mutation of it.

    Attributes:
        writer: ``RingWriter``.
        reader: ``RingReader``.
        weakened: Labels of operations that order nothing.
        dropped: Labels of operations that do not happen.
    """

    writer: type[writer_module.RingWriter] = writer_module.RingWriter
    reader: type[reader_module.RingReader] = reader_module.RingReader
    weakened: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()


# Never written: the wake-up itself is simulated, and what drains it finds it empty.
_WAKE_FD = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)


def attaching(code: Code, *, history: int = 0) -> Scenario:
    """A reader that comes at any time, between any two steps of the writer."""
    spec = RingSpec(3 + history, 1, readers=1, history=history)
    stage = _Stage(code, spec)
    way = "next" if history else "newest"
    return stage.scenario(
        stage.writer(3 - history), stage.reader(0, [way, way], is_early=False)
    )


def overwriting(
    code: Code, *, publishes: int = 3, borrows: tuple[int, int] = (1, 1)
) -> Scenario:
    """Two readers of the newest frame, a writer that laps them."""
    spec = RingSpec.newest_only(slot_bytes=1, readers=2)
    stage = _Stage(code, spec)
    return stage.scenario(
        stage.writer(publishes),
        stage.reader(0, ["newest"] * borrows[0]),
        stage.reader(1, ["newest"] * borrows[1]),
    )


def lending_again(code: Code) -> Scenario:
    """A reader that exchanges one frame for the next without a pause."""
    spec = RingSpec.newest_only(slot_bytes=1, readers=1)
    stage = _Stage(code, spec)
    return stage.scenario(stage.writer(4), stage.reader(0, ["newest", "newest"]))


def catching_up(code: Code) -> Scenario:
    """A reader of every frame that begins where the writer is about to overwrite."""
    spec = RingSpec.with_history(slot_bytes=1, readers=1, history=1)
    stage = _Stage(code, spec)
    return stage.scenario(stage.writer(3), stage.reader(0, ["next", "next"]))


def in_order(
    code: Code, *, publishes: int = 1, borrows: tuple[int, int] = (1, 1)
) -> Scenario:
    """A reader of every frame and one of the newest, in a full ring with history."""
    spec = RingSpec.with_history(slot_bytes=1, readers=2, history=1)
    stage = _Stage(code, spec)
    return stage.scenario(
        stage.writer(publishes),
        stage.reader(0, ["next"] * borrows[0]),
        stage.reader(1, ["newest"] * borrows[1]),
    )


def both_in_order(
    code: Code, *, publishes: int = 1, borrows: tuple[int, int] = (1, 1)
) -> Scenario:
    """Two readers of every frame, who name the same slots."""
    spec = RingSpec.with_history(slot_bytes=1, readers=2, history=1)
    stage = _Stage(code, spec)
    return stage.scenario(
        stage.writer(publishes),
        stage.reader(0, ["next"] * borrows[0]),
        stage.reader(1, ["next"] * borrows[1]),
    )


def waiting(code: Code, *, publishes: int = 2, history: int = 0) -> Scenario:
    """A reader that sleeps until the last frame is there."""
    spec = RingSpec(3 + history, 1, readers=1, history=history)
    stage = _Stage(code, spec)
    way = "next" if history else "newest"
    return stage.scenario(
        stage.writer(publishes), stage.sleeper(0, way, publishes), waits=True
    )


def writer_dies(code: Code, *, history: int = 0) -> Scenario:
    """A writer killed anywhere, another in its place, and a reader throughout."""
    spec = RingSpec(3 + history, 1, readers=1, history=history)
    stage = _Stage(code, spec)
    return stage.scenario(
        stage.writer(2 - history, is_mortal=True),
        stage.writer(2 - history, number=2, after=0),
        # With history, of the very frame that the first writer may leave unpublished.
        stage.reader(0, ["next", "skip", "next"] if history else ["newest"] * 2),
    )


def writer_is_hasty(code: Code) -> Scenario:
    """A second writer opened while the first one still runs: forbidden."""
    spec = RingSpec.newest_only(slot_bytes=1, readers=1)
    stage = _Stage(code, spec)
    return stage.scenario(
        stage.writer(2), stage.writer(1, number=2), stage.reader(0, ["newest"])
    )


def reader_dies(code: Code, *, history: int = 0) -> Scenario:
    """A reader killed anywhere, its place cleared and given to another."""
    spec = RingSpec(3 + history, 1, readers=1, history=history)
    stage = _Stage(code, spec)
    way = "next" if history else "newest"
    return stage.scenario(
        stage.writer(3 - 2 * history),
        stage.reader(0, [way], is_mortal=True),
        stage.clearing(0, after=1),
        stage.reader(0, [way], is_early=False, after=2),
    )


def clearing_is_hasty(code: Code) -> Scenario:
    """A reader's place cleared while the reader still runs: forbidden."""
    spec = RingSpec.newest_only(slot_bytes=1, readers=1)
    stage = _Stage(code, spec)
    return stage.scenario(
        stage.writer(3), stage.reader(0, ["newest"]), stage.clearing(0)
    )


class _Stage:
    """Makes the threads of a scenario."""

    def __init__(self, code: Code, spec: RingSpec) -> None:
        self._code = code
        self._spec = spec
        self._slots = tuple(range(spec.slots))
        # A ring with history is full when the scenario starts: frame n in slot n - 1.
        self._frames = spec.slots if spec.history else 0

    def scenario(self, *threads: Thread, waits: bool = False) -> Scenario:
        spec = self._spec
        flags = [waiting_at(place) for place in range(spec.readers)]
        return Scenario(
            threads,
            self._words(),
            tuple(4 * number + 1 for number in range(1, self._frames + 1))
            or (0,) * spec.slots,
            self._frames,
            spec.history,
            LATEST_AT,
            frozenset([FIRST_AT, *([] if waits else flags)]),
            relaxes=bool(self._code.weakened),
        )

    def _words(self) -> dict[int, int]:
        places = range(self._spec.readers)
        words = dict.fromkeys([FIRST_AT, LATEST_AT], 0)
        words |= {at(place): 0 for place in places for at in (held_at, waiting_at)}
        if self._frames:
            words[LATEST_AT] = pack_latest(self._frames, self._frames - 1)
            words |= {self._spec.sequence_at(slot): slot + 1 for slot in self._slots}
        return words

    def writer(
        self,
        publishes: int,
        *,
        number: int = 1,
        is_mortal: bool = False,
        after: int | None = None,
    ) -> Thread:
        def start(_: None, script: Script) -> tuple[Any, None]:
            slots: Any = self._slots  # what would be memory is the slot's number
            return self._code.writer(self._spec, script, slots, script.wake), None

        def loan(writer: Any, _: Script) -> tuple[Any, None]:
            writer.loan()
            return writer, None

        def fill(writer: Any, script: Script) -> tuple[Any, None]:
            slot = writer._loan.slot
            script.write(slot, 0, number)  # half of the frame
            script.write(slot, writer.sequence + 1, number)
            return writer, None

        def publish(writer: Any, _: Script) -> tuple[Any, None]:
            writer.publish(writer._loan)
            return writer, None

        acts: list[Act] = [start, *[loan, fill, publish] * publishes]
        automaton = self._automaton(acts, is_early=after is None)
        return Thread(f"writer {number}", automaton, number, is_mortal, after)

    def reader(
        self,
        place: int,
        ways: list[str],
        *,
        is_mortal: bool = False,
        is_early: bool = True,
        after: int | None = None,
    ) -> Thread:
        borrows = map(self._borrow, ways)
        # Early readers of every frame start with the oldest, the next to be claimed.
        seen = 0 if is_early and ways[0] == "next" else None
        acts: list[Act] = [self._open_reader(place, seen), *borrows, _release]
        name = f"reader {place}"
        return Thread(
            name, self._automaton(acts, is_early=is_early), 0, is_mortal, after
        )

    def sleeper(self, place: int, way: str, last: int) -> Thread:
        borrow = self._borrow(way)

        def look(reader: Any, script: Script) -> tuple[Any, int | None]:
            borrow(reader, script)
            if reader.seen == self._frames + last:
                return reader, 4
            return reader, 1 if reader.lent else None

        def wait(reader: Any, _: Script) -> tuple[Any, int | None]:
            return reader, None if reader.prepare_wait() else 1

        def sleep(reader: Any, script: Script) -> tuple[Any, int]:
            script.sleep(place)
            reader.drain_wake()
            return reader, 1

        acts = [self._open_reader(place), look, wait, sleep, _release]
        return Thread(f"reader {place}", self._automaton(acts))

    def clearing(self, place: int, *, after: int | None = None) -> Thread:
        def clear(_: None, script: Script) -> tuple[None, None]:
            control_module.RingControl(self._spec, script).clear_reader(place)
            return None, None

        return Thread("supervisor", self._automaton([clear]), after=after)

    def _open_reader(self, place: int, seen: int | None = None) -> Act:
        def start(_: None, script: Script) -> tuple[Any, None]:
            slots: Any = self._slots
            reader = self._code.reader(self._spec, script, slots, place, _WAKE_FD)
            if seen is not None:
                reader.resume(seen)
            return reader, None

        return start

    def _borrow(self, way: str) -> Act:
        def skip(reader: Any, _: Script) -> tuple[Any, None]:
            reader.release()
            reader.resume(self._frames)
            return reader, None

        def borrow(reader: Any, script: Script) -> tuple[Any, None]:
            former = reader.seen
            lent = getattr(reader, way)()
            if lent is None:
                return reader, None
            if lent.sequence <= former:
                raise Wrong(f"frame {lent.sequence} after {former}")
            if way == "next" and lent.passed:
                script.lost(lent.sequence - 1)
            script.read(lent.memory, lent.sequence)
            return reader, None

        return skip if way == "skip" else borrow

    def _automaton(self, acts: list[Act], *, is_early: bool = False) -> Automaton:
        early = self._words() if is_early else {}
        script = Script(self._code.weakened, self._code.dropped, early)
        return Automaton(acts, script, (self._spec, self._slots))


def _release(reader: Any, _: Script) -> tuple[Any, None]:
    reader.release()
    return reader, None
