from __future__ import annotations

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.frame import may_show
from ooblexd.pushes.backlog import LONGEST_NS, Backlog
from tests.support.encoded import Picture


class Bench:
    """A backlog, what is required of its pictures, and how often it asked."""

    def __init__(self) -> None:
        self.required = 1
        self.asked = 0
        self.picture = Picture()
        self.backlog = Backlog(
            lambda header: may_show(header, self.required, NS_PER_S, monotonic_ns()),
            self._ask,
        )

    def _ask(self) -> None:
        self.asked += 1

    def put(self, *, is_keyframe: bool = False, after_ns: int = 0) -> None:
        unit = self.picture.unit(is_keyframe=is_keyframe)
        self.backlog.put(unit, monotonic_ns() + after_ns)

    def taken(self) -> list[int]:
        found = []
        while (unit := self.backlog.take(0)) is not None:
            found.append(unit.header.sequence)
        return found


def test_it_begins_with_a_keyframe_and_goes_on_in_order() -> None:
    bench = Bench()
    bench.put(is_keyframe=True)  # nobody wants it yet
    bench.backlog.open()

    bench.put()
    bench.put(is_keyframe=True)
    bench.put()

    assert bench.taken() == [3, 4]
    assert bench.asked > 1


def test_what_may_not_be_shown_any_more_goes_with_all_that_refers_to_it() -> None:
    bench = Bench()
    bench.backlog.open()
    bench.put(is_keyframe=True)
    bench.put()
    assert bench.backlog.take(0) is not None

    bench.required = 2
    bench.picture.revision = 2
    bench.put()  # of the new chain, but it refers to what was left out
    asked = bench.asked
    assert bench.taken() == []
    assert bench.asked > asked

    bench.put(is_keyframe=True)
    bench.put()
    assert bench.taken() == [4, 5]
    assert bench.backlog.dropped == 2


def test_who_is_slow_goes_on_with_a_keyframe_and_never_has_much_before_him() -> None:
    bench = Bench()
    bench.backlog.open()
    bench.put(is_keyframe=True)
    for _ in range(9):
        bench.put()

    bench.put(after_ns=LONGEST_NS + 1)

    assert bench.taken() == []
    assert bench.backlog.dropped == 11
    bench.put(is_keyframe=True)
    assert bench.taken() == [12]


def test_once_shut_it_keeps_and_counts_nothing() -> None:
    bench = Bench()
    bench.backlog.open()
    bench.put(is_keyframe=True)

    bench.backlog.shut()
    bench.put(is_keyframe=True)

    assert bench.taken() == []
    assert bench.backlog.dropped == 0
