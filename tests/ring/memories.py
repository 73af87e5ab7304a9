"""Three memories: one without reordering, one of x86 (TSO), one as weak as C11 allows.

The states are tuples, so that a search can remember them. Words and payloads are
locations, numbered. A thread's read of a payload is open from when it is asked until
nothing can delay it any more; whoever writes that payload meanwhile is caught.

*Sequential*: every store is seen by all at once.

*StoreBuffers*: a store goes into a queue of its thread, which drains in order at any
time; a thread sees its own queue; a fence waits until it is empty. This is x86-TSO
(Sewell et al., 2010).

*Weak*: a location keeps all its stores; each thread has a view, for each location the
oldest store that it may still read, so loads return old values and different threads
see stores in different orders. A release store carries its thread's view and an acquire
load takes it over; a full fence exchanges views with one global view. A relaxed store
carries what the thread's last fence knew; what relaxed loads met counts after its next
fence. Payload reads are delayed up to the next release store or fence. This is the
view machine of promising semantics (Kang et al., 2017) without promises; ARMv8 with
ldar, stlr and dmb ish allows less, TSO and PSO too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.ring.automata import Request

State = Any  # each memory has its own, a tuple


class Violation(Exception):  # noqa: N818  # what the search looks for
    """A step that must never be possible."""


class Memory(Protocol):
    """How loads and stores of several threads meet. States are values."""

    def start(self) -> State:
        """Return the memory before the first step."""

    def perform(
        self, state: State, thread: int, request: Request, /
    ) -> list[tuple[int, State]]:
        """Return each answer that is possible now, with the state after it."""

    def drains(self, state: State, /) -> Iterable[State]:
        """Return the states after what the memory may do by itself."""

    def is_local(self, state: State, thread: int, request: Request, /) -> bool:
        """Return whether no step of others can matter to this one, or it to them."""

    def adopt(self, state: State, thread: int, former: int, /) -> State | None:
        """Start ``thread`` after the end of ``former``; ``None`` if it is too early."""

    def kill(self, state: State, thread: int, /) -> State:
        """End the reads of a thread that is no more; its stores stand."""

    def forget(self, state: State, dead: Sequence[int], /) -> State:
        """Return ``state`` without what only ``dead`` threads could still see."""


def _put(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*values[:at], value, *values[at + 1 :])


class _Simple(NamedTuple):
    values: tuple[int, ...]
    queues: tuple[tuple[tuple[int, int], ...], ...]
    reads: tuple[int, ...]  # the payload that each thread reads, -1 for none
    events: int  # a bit a place: its eventfd is readable


class Sequential:
    """Every store is seen by all at once; with ``queue`` it is a ``StoreBuffers``."""

    queued = False

    def __init__(
        self, values: Sequence[int], threads: int, *, relaxes: bool = True
    ) -> None:
        del relaxes  # its loads and stores order all that they can
        self._start = _Simple(tuple(values), ((),) * threads, (-1,) * threads, 0)

    def start(self) -> _Simple:
        return self._start

    def perform(  # noqa: PLR0911  # one kind of request after another
        self, state: _Simple, thread: int, request: Request
    ) -> list[tuple[int, _Simple]]:
        kind, at, value, _, _ = request
        state = state._replace(reads=_put(state.reads, thread, -1))
        if kind == "load":
            return [(self._value(state, thread, at), state)]
        if kind in {"store", "write"}:
            return [(0, self._store(state, thread, at, value))]
        if kind == "read":
            if self._value(state, thread, at) != value:
                raise Violation(f"read of frame {value >> 2} meets another")
            return [(0, state._replace(reads=_put(state.reads, thread, at)))]
        if state.queues[thread]:  # a fence, or the locked instruction of a system call
            return []
        if kind == "wake":
            return [(0, state._replace(events=state.events | 1 << at))]
        if kind == "sleep":
            if not state.events & 1 << at:
                return []
            return [(0, state._replace(events=state.events & ~(1 << at)))]
        return [(0, state)]

    def drains(self, state: _Simple) -> Iterable[_Simple]:
        for thread, queue in enumerate(state.queues):
            if queue:
                rest = (
                    *state.queues[:thread],
                    queue[1:],
                    *state.queues[thread + 1 :],
                )
                yield self._write(state._replace(queues=rest), *queue[0])

    def is_local(self, state: _Simple, thread: int, request: Request) -> bool:
        if state.reads[thread] >= 0:
            return False  # the step ends the read, and when it does so matters
        if request.kind == "fence":
            return not state.queues[thread]
        return self.queued and request.kind in {"store", "write"}

    def adopt(self, state: _Simple, _thread: int, former: int) -> _Simple | None:
        return None if state.queues[former] else state

    def kill(self, state: _Simple, thread: int) -> _Simple:
        return state._replace(reads=_put(state.reads, thread, -1))

    def forget(self, state: _Simple, _dead: Sequence[int]) -> _Simple:
        return state

    def _value(self, state: _Simple, thread: int, at: int) -> int:
        for location, value in reversed(state.queues[thread]):
            if location == at:
                return value
        return state.values[at]

    def _store(self, state: _Simple, thread: int, at: int, value: int) -> _Simple:
        if not self.queued:
            return self._write(state, at, value)
        queue = (*state.queues[thread], (at, value))
        queues = (*state.queues[:thread], queue, *state.queues[thread + 1 :])
        return state._replace(queues=queues)

    def _write(self, state: _Simple, at: int, value: int) -> _Simple:
        if at in state.reads:
            raise Violation("a payload is overwritten while it is read")
        return state._replace(values=_put(state.values, at, value))


class StoreBuffers(Sequential):
    """x86-TSO."""

    queued = True


_View = tuple[int, ...]


class _Weak(NamedTuple):
    # A location's stores that somebody may still read: value, and the view it carries.
    stores: tuple[tuple[tuple[int, _View], ...], ...]
    # A thread's views: what it knows, what its next fence adds, what its last one knew.
    views: tuple[tuple[_View, _View, _View], ...]
    fenced: _View
    reads: tuple[frozenset[int], ...]
    events: tuple[_View | None, ...]


def _join(one: _View, other: _View) -> _View:
    return tuple(map(max, one, other)) if one != other else one


class Weak:
    """As weak as C11 allows, but for values out of thin air."""

    def __init__(
        self, values: Sequence[int], threads: int, *, relaxes: bool = True
    ) -> None:
        nothing = self._nothing = (0,) * len(values)
        self._relaxes = relaxes  # whether any word is: what relaxed stores carry counts
        self._start = _Weak(
            tuple(((value, nothing),) for value in values),
            ((nothing, nothing, nothing),) * threads,
            nothing,
            (frozenset(),) * threads,
            (None,) * threads,
        )

    def start(self) -> _Weak:
        return self._start

    def perform(  # noqa: PLR0911  # one kind of request after another
        self, state: _Weak, thread: int, request: Request
    ) -> list[tuple[int, _Weak]]:
        kind, at, value, _, relaxed = request
        if kind == "load":
            return list(self._loads(state, thread, at, relaxed=relaxed))
        if kind in {"store", "write"}:
            relaxed = relaxed or kind == "write"
            return [(0, self._store(state, thread, at, value, relaxed=relaxed))]
        if kind == "read":
            return [(0, self._read(state, thread, at, value))]
        if kind == "fence":
            return [(0, self._fence(state, thread))]
        if kind == "wake":
            state = self._open(state, thread)
            return [(0, self._signal(state, at, state.views[thread][0]))]
        carried = state.events[at]
        if carried is None:
            return []
        return [(0, self._signal(self._learn(state, thread, carried), at, None))]

    def drains(self, _state: _Weak) -> Iterable[_Weak]:
        return ()

    def is_local(self, state: _Weak, thread: int, request: Request) -> bool:
        # A store that is made earlier hides nothing: the older ones stay readable.
        if request.kind == "write":
            return True
        return request.kind == "store" and not state.reads[thread]

    def adopt(self, state: _Weak, thread: int, former: int) -> _Weak:
        return self._learn(state, thread, state.views[former][0])

    def kill(self, state: _Weak, thread: int) -> _Weak:
        return self._open(state, thread)

    def forget(self, state: _Weak, dead: Sequence[int]) -> _Weak:
        """Number each location's stores from the oldest that somebody may read."""
        alive = [
            views[0] for thread, views in enumerate(state.views) if thread not in dead
        ]
        if not alive:
            return state
        floor = tuple(map(min, zip(*alive, strict=True)))
        views = tuple(
            (floor, floor, self._nothing) if thread in dead else each
            for thread, each in enumerate(state.views)
        )
        state = state._replace(views=views)
        return self._lower(state, floor) if any(floor) else state

    @staticmethod
    def _lower(state: _Weak, floor: _View) -> _Weak:
        def lower(view: _View) -> _View:
            return tuple(
                each - least if each > least else 0
                for each, least in zip(view, floor, strict=True)
            )

        return state._replace(
            stores=tuple(
                tuple((value, lower(view)) for value, view in stores[least:])
                for stores, least in zip(state.stores, floor, strict=True)
            ),
            views=tuple(
                (lower(one), lower(two), lower(three))
                for one, two, three in state.views
            ),
            fenced=lower(state.fenced),
            events=tuple(view and lower(view) for view in state.events),
        )

    def _loads(
        self, state: _Weak, thread: int, at: int, *, relaxed: bool
    ) -> Iterable[tuple[int, _Weak]]:
        known, pending, fenced = state.views[thread]
        stores = state.stores[at]
        for index in range(known[at], len(stores)):
            value, carried = stores[index]
            seen = _put(known, at, index)
            new = seen if relaxed else _join(seen, carried)
            later = _join(_join(pending, carried), new)
            yield value, self._see(state, thread, (new, later, fenced))

    def _store(
        self, state: _Weak, thread: int, at: int, value: int, *, relaxed: bool
    ) -> _Weak:
        if any(at in reads for reads in state.reads):
            raise Violation("a payload is overwritten while it is read")
        if not relaxed:
            state = self._open(state, thread)
        known, pending, fenced = state.views[thread]
        index = len(state.stores[at])
        known = _put(known, at, index)
        carried = known
        if relaxed:  # nobody acquires anything from a payload
            carried = _put(fenced, at, index) if self._relaxes else self._nothing
        stores = (*state.stores[at], (value, carried))
        state = self._see(state, thread, (known, _put(pending, at, index), fenced))
        return state._replace(
            stores=(*state.stores[:at], stores, *state.stores[at + 1 :])
        )

    def _read(self, state: _Weak, thread: int, at: int, value: int) -> _Weak:
        readable = state.stores[at][state.views[thread][0][at] :]
        if any(found != value for found, _ in readable):
            raise Violation(f"read of frame {value >> 2} may meet another")
        reads = state.reads[thread] | {at}
        return state._replace(
            reads=(*state.reads[:thread], reads, *state.reads[thread + 1 :])
        )

    def _fence(self, state: _Weak, thread: int) -> _Weak:
        state = self._open(state, thread)
        known = _join(state.views[thread][1], state.fenced)
        fenced = known if self._relaxes else self._nothing
        state = self._see(state, thread, (known, known, fenced))
        return state._replace(fenced=known)

    @staticmethod
    def _open(state: _Weak, thread: int) -> _Weak:
        """End the delay of the thread's payload reads."""
        if not state.reads[thread]:
            return state
        return state._replace(
            reads=(*state.reads[:thread], frozenset(), *state.reads[thread + 1 :])
        )

    def _learn(self, state: _Weak, thread: int, carried: _View) -> _Weak:
        known, pending, fenced = state.views[thread]
        return self._see(
            state, thread, (_join(known, carried), _join(pending, carried), fenced)
        )

    @staticmethod
    def _see(state: _Weak, thread: int, views: tuple[_View, _View, _View]) -> _Weak:
        return state._replace(
            views=(*state.views[:thread], views, *state.views[thread + 1 :])
        )

    @staticmethod
    def _signal(state: _Weak, place: int, carried: _View | None) -> _Weak:
        return state._replace(
            events=(*state.events[:place], carried, *state.events[place + 1 :])
        )
