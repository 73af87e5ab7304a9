from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ooblexd.errors import RingError
from ooblexd.ring import RingControl, RingReader, RingSpec, RingWriter
from tests.support.words import PlainWords, empty_words, offsets_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.ring import Lent

WAKE_FD = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
HISTORY = RingSpec.with_history(slot_bytes=8, readers=2, history=3)
NEWEST = RingSpec.newest_only(slot_bytes=8, readers=2)


class Ring:
    """A ring without shared memory, that writes each frame's number into it."""

    def __init__(self, spec: RingSpec, first_sequence: int = 0) -> None:
        self.spec = spec
        self.words = empty_words(spec, first_sequence)
        self.slots = [memoryview(bytearray(8)) for _ in range(spec.slots)]
        self.woken: list[int] = []
        self.writer = self.open_writer()

    def open_writer(self) -> RingWriter:
        return RingWriter(self.spec, self.words, self.slots, self.woken.append)

    def open_reader(self, place: int = 0) -> RingReader:
        slots = [slot.toreadonly() for slot in self.slots]
        return RingReader(self.spec, self.words, slots, place, WAKE_FD)

    def publish(self, times: int = 1) -> None:
        for _ in range(times):
            loan = self.writer.loan()
            loan.memory[:] = (self.writer.sequence + 1).to_bytes(8, "little")
            self.writer.publish(loan)


def number_in(lent: Lent) -> int:
    return int.from_bytes(lent.memory, "little")


def taken(lent: Lent | None) -> tuple[int, int] | None:
    return None if lent is None else (lent.sequence, lent.passed)


def test_newest_tells_how_many_frames_were_passed_over() -> None:
    ring = Ring(NEWEST)
    reader = ring.open_reader()

    assert reader.newest() is None
    ring.publish()
    assert taken(reader.newest()) == (1, 0)
    ring.publish(5)
    assert taken(reader.newest()) == (6, 4)
    assert reader.newest() is None


def test_what_was_there_before_the_reader_does_not_count_as_passed() -> None:
    ring = Ring(NEWEST)
    ring.publish(5)
    reader, other = ring.open_reader(0), ring.open_reader(1)

    assert taken(reader.newest()) == (5, 0)
    ring.publish(2)
    assert taken(other.newest()) == (7, 1)


def test_a_reader_that_replaces_another_goes_on_counting() -> None:
    ring = Ring(NEWEST)
    ring.publish(3)
    former = ring.open_reader()
    former.newest()
    ring.publish(4)
    reader = ring.open_reader()

    reader.resume(former.seen)

    assert taken(reader.newest()) == (7, 3)


@pytest.mark.parametrize("spec", [NEWEST, HISTORY])
def test_a_reader_that_moves_never_borrows_what_only_the_old_memory_held(
    spec: RingSpec,
) -> None:
    ring = Ring(spec, first_sequence=7)
    reader = ring.open_reader()

    reader.resume(3)

    assert reader.newest() is None
    assert not spec.history or reader.next() is None
    assert reader.prepare_wait()
    ring.publish()
    assert taken(reader.newest()) == (8, 4)


def test_a_reader_that_moves_twice_counts_all_that_it_passed_over() -> None:
    between = Ring(NEWEST, first_sequence=7).open_reader()
    between.resume(3)
    ring = Ring(NEWEST, first_sequence=9)
    reader = ring.open_reader()

    reader.resume(between.seen)

    ring.publish()
    assert taken(reader.newest()) == (10, 6)


def test_what_only_the_old_memory_held_can_be_forgone() -> None:
    ring = Ring(NEWEST, first_sequence=7)
    reader = ring.open_reader()
    reader.resume(3)

    assert reader.forgo() == 3
    assert reader.newest() is None
    ring.publish()
    assert taken(reader.newest()) == (8, 1)


def test_current_lends_the_newest_frame_again() -> None:
    ring = Ring(NEWEST)
    reader = ring.open_reader()

    assert reader.current() is None
    ring.publish(2)
    assert taken(reader.current()) == (2, 1)
    assert taken(reader.current()) == (2, 0)
    assert reader.newest() is None
    assert taken(reader.current()) == (2, 0)


def test_next_walks_in_order_and_counts_what_it_lost() -> None:
    ring = Ring(HISTORY)
    reader = ring.open_reader()
    ring.publish(3)

    assert [taken(reader.next()) for _ in range(4)] == [(1, 0), (2, 0), (3, 0), None]
    ring.publish(20)
    first = reader.next()
    assert first is not None
    assert first.passed == first.sequence - 4 > 0
    assert first.sequence <= 23 - HISTORY.history


def test_a_ring_without_history_has_no_next() -> None:
    with pytest.raises(ValueError, match="only a newest frame"):
        Ring(NEWEST).open_reader().next()


def test_leaving_a_former_frame_does_not_give_the_present_one_back() -> None:
    ring = Ring(NEWEST)
    control = RingControl(NEWEST, ring.words)
    reader = ring.open_reader()
    ring.publish()
    former = reader.newest()
    assert former is not None
    with former:
        ring.publish()
        assert reader.newest() is not None
    assert control.held_slot(0) is not None

    reader.release()

    assert control.held_slot(0) is None


def test_a_loan_is_published_once_and_only_the_latest() -> None:
    ring = Ring(NEWEST)
    abandoned = ring.writer.loan()
    loan = ring.writer.loan()

    with pytest.raises(ValueError, match="latest loan"):
        ring.writer.publish(abandoned)
    assert ring.writer.publish(loan) == 1
    with pytest.raises(ValueError, match="latest loan"):
        ring.writer.publish(loan)


def test_a_reader_that_finds_a_frame_does_not_wait() -> None:
    ring = Ring(NEWEST)
    reader = ring.open_reader()
    control = RingControl(NEWEST, ring.words)
    ring.publish()

    assert not reader.prepare_wait()
    assert not control.is_waiting(0)
    reader.newest()
    assert reader.prepare_wait()
    ring.publish()
    assert ring.woken == [0]


class RingMachine(RuleBasedStateMachine):
    """The ring against a list of all frames, two readers, deaths and successors."""

    @initialize(
        history=st.integers(0, 3), extra=st.integers(0, 2), first=st.integers(0, 5)
    )
    def start(self, history: int, extra: int, first: int) -> None:
        self.ring = Ring(RingSpec(4 + history + extra, 8, 2, history), first)
        self.first = self.newest = first
        self.readers = [self.ring.open_reader(place) for place in (0, 1)]
        self.seen = [first, first]
        self.counted = [first, first]
        self.lent: list[Lent | None] = [None, None]

    @rule()
    def publish(self) -> None:
        self.ring.publish()
        self.newest += 1
        assert self.ring.writer.sequence == self.newest

    @rule()
    def abandon_a_loan(self) -> None:
        self.ring.writer.loan().memory[:] = b"\xff" * 8

    @rule(is_numbered=st.booleans())
    def replace_the_writer_that_dies_before_publishing(
        self, *, is_numbered: bool
    ) -> None:
        loan = self.ring.writer.loan()
        loan.memory[:] = b"\xff" * 8
        if is_numbered and self.ring.spec.history:  # it died after PUBLISH 1
            offset = self.ring.spec.sequence_at(loan.slot)
            self.ring.words.store(offset, self.newest + 1)
        self.ring.writer = self.ring.open_writer()

    @rule(place=st.integers(0, 1))
    def kill_a_reader_and_attach_another(self, place: int) -> None:
        RingControl(self.ring.spec, self.ring.words).clear_reader(place)
        self.readers[place] = self.ring.open_reader(place)
        self.lent[place] = None
        self.seen[place] = max(self.newest - 1, self.first)
        self.counted[place] = self.newest

    @rule(place=st.integers(0, 1))
    def borrow_newest(self, place: int) -> None:
        lent = self.readers[place].newest()

        assert (lent is None) == (self.newest <= self.seen[place])
        self.note(place, lent)
        assert lent is None or lent.sequence == self.newest

    @rule(place=st.integers(0, 1))
    def borrow_current(self, place: int) -> None:
        lent = self.readers[place].current()

        assert (lent is None) == (self.newest == self.first)
        self.note(place, lent)
        assert lent is None or lent.sequence == self.newest

    @rule(place=st.integers(0, 1))
    def borrow_next(self, place: int) -> None:
        if not self.ring.spec.history:
            return
        wanted = self.seen[place] + 1
        lent = self.readers[place].next()

        assert (lent is None) == (self.newest < wanted)
        self.note(place, lent)
        # The newest frame and as many before it as were promised are still there.
        kept = self.newest - self.ring.spec.history
        assert lent is None or wanted <= lent.sequence <= max(wanted, kept)

    @rule(place=st.integers(0, 1))
    def give_back(self, place: int) -> None:
        self.readers[place].release()
        self.lent[place] = None

    @rule(place=st.integers(0, 1))
    def prepare_to_wait(self, place: int) -> None:
        waits = self.readers[place].prepare_wait()
        assert waits == (self.newest <= self.seen[place])

    @invariant()
    def what_is_lent_stays_as_it_was(self) -> None:
        for lent in getattr(self, "lent", ()):
            assert lent is None or number_in(lent) == lent.sequence

    def note(self, place: int, lent: Lent | None) -> None:
        self.lent[place] = lent
        if lent is not None:
            passed = max(0, lent.sequence - self.counted[place] - 1)
            assert lent.passed == passed
            self.seen[place] = self.counted[place] = lent.sequence


TestRing: Any = RingMachine.TestCase
TestRing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def _borrow(how: str) -> Callable[[RingReader], Lent | None]:
    return lambda reader: getattr(reader, how)()


@settings(deadline=None)
@given(data=st.data(), how=st.sampled_from(["newest", "current", "next"]))
def test_damaged_memory_gives_a_frame_nothing_or_a_ring_error(
    data: st.DataObject, how: str
) -> None:
    word = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2048))
    words = PlainWords({offset: data.draw(word) for offset in offsets_of(HISTORY)})
    slots = [memoryview(bytes(8)) for _ in range(HISTORY.slots)]
    reader = RingReader(HISTORY, words, slots, 0, WAKE_FD)
    reader.resume(data.draw(st.integers(0, 4)))

    for _ in range(3):
        try:
            lent = _borrow(how)(reader)
        except RingError:
            continue
        assert lent is None or lent.memory.nbytes == 8


@settings(deadline=None)
@given(data=st.data())
def test_a_writer_on_damaged_memory_writes_or_raises_a_ring_error(
    data: st.DataObject,
) -> None:
    word = st.one_of(st.integers(0, 2**55), st.integers(0, 2048))
    words = PlainWords({offset: data.draw(word) for offset in offsets_of(HISTORY)})
    slots = [memoryview(bytearray(8)) for _ in range(HISTORY.slots)]
    try:
        writer = RingWriter(HISTORY, words, slots, lambda _: None)
    except RingError:
        return

    before = writer.sequence
    assert writer.publish(writer.loan()) == before + 1


def test_what_is_forgone_is_told_once_and_the_newest_stays() -> None:
    ring = Ring(NEWEST)
    reader = ring.open_reader()
    ring.publish(4)

    assert reader.forgo() == 3
    assert reader.forgo() == 0
    assert taken(reader.newest()) == (4, 0)
    ring.publish(2)
    assert taken(reader.newest()) == (6, 1)


def test_nothing_is_forgone_where_nothing_is_new() -> None:
    ring = Ring(NEWEST)
    reader = ring.open_reader()

    assert reader.forgo() == 0
    ring.publish()
    assert reader.forgo() == 0
    assert taken(reader.newest()) == (1, 0)
    assert reader.forgo() == 0
    assert reader.newest() is None
