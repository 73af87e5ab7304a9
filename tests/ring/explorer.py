"""Every schedule of the ring's real code over a simulated memory, within a bound.

A scenario is a few threads, each a program of acts on the real writer or reader, some
of which may be killed at any step, some of which start only when another has ended. The
search visits each reachable state of threads and memory once. Steps that no other
thread can notice are taken at once instead of being interleaved (a persistent set of
one), which loses no outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tests.ring.memories import Memory, State, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.ring.automata import Automaton, Request

_NOT_STARTED, _RUNS, _ENDED = 0, 1, 2


@dataclass(frozen=True)
class Thread:
    """One thread of a scenario.

    Attributes:
        name: For the trace.
        automaton: Its program.
        writer: A number for a writer's, which its frames carry; 0 for others.
        is_mortal: It may be killed at any step.
        after: The thread whose end this one waits for (``waitpid``).
    """

    name: str
    automaton: Automaton
    writer: int = 0
    is_mortal: bool = False
    after: int | None = None


@dataclass(frozen=True)
class Scenario:
    """Threads, and the memory they share.

    Attributes:
        threads: All of them.
        words: The offset of each word, with what it holds at first.
        payloads: What each slot holds at first.
        published: How many frames writer 1 had published before.
        history: What ``next`` may rely on.
        latest: The offset of the word that publishes.
        constant: Offsets of words that no thread of this scenario writes.
        relaxes: Whether any operation is weakened.
    """

    threads: tuple[Thread, ...]
    words: Mapping[int, int]
    payloads: tuple[int, ...]
    published: int
    history: int
    latest: int
    constant: frozenset[int]
    relaxes: bool


class Found(AssertionError):  # noqa: N818  # a verdict
    """A schedule that breaks a promise; the message is the schedule."""


class _State(NamedTuple):
    locals: tuple[int, ...]
    phases: tuple[int, ...]
    published: tuple[int, ...]
    memory: State


class _Step(NamedTuple):
    what: str
    state: _State


class Model(Protocol):
    """Makes a memory of words and payloads for so many threads."""

    def __call__(
        self, values: Sequence[int], threads: int, *, relaxes: bool
    ) -> Memory: ...


def explore(scenario: Scenario, model: Model) -> int:
    """Visit all states of ``scenario``; return how many there are.

    Raises:
        Found: A promise is broken.
    """
    return _Search(scenario, model).run()


class _Search:
    def __init__(self, scenario: Scenario, model: Model) -> None:
        self._threads = scenario.threads
        self._scenario = scenario
        words = {
            offset: value
            for offset, value in scenario.words.items()
            if offset not in scenario.constant
        }
        self._at = {offset: at for at, offset in enumerate(words)}
        values = [*words.values(), *scenario.payloads]
        self._memory = model(values, len(scenario.threads), relaxes=scenario.relaxes)
        self._from: dict[_State, tuple[_State, str] | None] = {}

    def run(self) -> int:
        first = _State(
            (0,) * len(self._threads),
            tuple(
                _RUNS if thread.after is None else _NOT_STARTED
                for thread in self._threads
            ),
            (1,) * self._scenario.published,
            self._memory.start(),
        )
        self._from[first] = None
        stack = [first]
        while stack:
            state = stack.pop()
            try:
                steps = list(self._steps(state))
            except Violation as violation:
                raise Found(self._trace(state, str(violation))) from violation
            if not steps and _RUNS in state.phases:
                raise Found(self._trace(state, "a reader sleeps for ever"))
            for what, following in steps:
                if following not in self._from:
                    self._from[following] = (state, what)
                    stack.append(following)
        return len(self._from)

    def _steps(self, state: _State) -> Iterator[_Step]:
        for index, thread in enumerate(self._threads):
            if state.phases[index] == _RUNS:
                request = self._request(state, index)
                if self._is_local(state, index, request):
                    yield from self._perform(state, index, request)
                    if thread.is_mortal:
                        yield self._kill(state, index)
                    return
        for index, thread in enumerate(self._threads):
            if state.phases[index] == _RUNS:
                yield from self._perform(state, index, self._request(state, index))
                if thread.is_mortal:
                    yield self._kill(state, index)
            elif state.phases[index] == _NOT_STARTED:
                yield from self._start(state, index)
        for memory in self._memory.drains(state.memory):
            yield _Step("(drain)", state._replace(memory=memory))

    def _request(self, state: _State, index: int) -> Request:
        request = self._threads[index].automaton.request(state.locals[index])
        assert request is not None, "it has ended"
        return request

    def _is_local(self, state: _State, index: int, request: Request) -> bool:
        if request.kind in {"read", "lost", "wrong"}:
            return True
        if self._is_constant(request):
            return True
        return self._memory.is_local(state.memory, index, request)

    def _is_constant(self, request: Request) -> bool:
        # A store there is that of clearing a flag which nobody ever sets.
        is_word = request.kind in {"load", "store"}
        return is_word and request.at in self._scenario.constant

    def _perform(self, state: _State, index: int, request: Request) -> Iterator[_Step]:
        what = f"{self._threads[index].name}: {request.label or request.kind}"
        state = self._judge(state, index, request)
        if request.kind == "lost" or self._is_constant(request):
            answer = self._scenario.words.get(request.at, 0)
            yield _Step(what, self._go(state, index, answer, state.memory))
            return
        located = self._locate(request, state.published)
        for answer, memory in self._memory.perform(state.memory, index, located):
            yield _Step(f"{what} {answer}", self._go(state, index, answer, memory))

    def _judge(self, state: _State, index: int, request: Request) -> _State:
        """Check what does not depend on the memory; note what is published."""
        if request.kind == "wrong":
            raise Violation(request.label)
        newest = len(state.published)
        if request.kind == "lost" and request.value >= newest - self._scenario.history:
            raise Violation(f"frame {request.value} is lost, {newest} is the newest")
        if request.kind == "store" and request.at == self._scenario.latest:
            if request.value >> 8 != newest + 1:
                raise Violation(f"frame {request.value >> 8} follows {newest}")
            writers = (*state.published, self._threads[index].writer)
            return state._replace(published=writers)
        return state

    def _locate(self, request: Request, published: tuple[int, ...]) -> Request:
        """Replace offsets and slots by locations, a frame by its payload."""
        if request.kind in {"load", "store"}:
            return request._replace(at=self._at[request.at])
        if request.kind == "write":
            return request._replace(at=len(self._at) + request.at)
        if request.kind == "read":
            sequence = request.value
            if not 0 < sequence <= len(published):
                raise Violation(f"frame {sequence} was never published")
            value = sequence * 4 + published[sequence - 1]
            return request._replace(at=len(self._at) + request.at, value=value)
        return request

    def _go(self, state: _State, index: int, answer: int, memory: State) -> _State:
        automaton = self._threads[index].automaton
        local = automaton.step(state.locals[index], answer)
        phases = state.phases
        if automaton.request(local) is None:
            phases = (*phases[:index], _ENDED, *phases[index + 1 :])
        locals_ = (*state.locals[:index], local, *state.locals[index + 1 :])
        following = _State(locals_, phases, state.published, memory)
        return following if memory is state.memory else self._settle(following)

    def _kill(self, state: _State, index: int) -> _Step:
        phases = (*state.phases[:index], _ENDED, *state.phases[index + 1 :])
        locals_ = (*state.locals[:index], -1, *state.locals[index + 1 :])
        memory = self._memory.kill(state.memory, index)
        killed = _State(locals_, phases, state.published, memory)
        return _Step(f"{self._threads[index].name}: killed", self._settle(killed))

    def _start(self, state: _State, index: int) -> Iterator[_Step]:
        former = self._threads[index].after
        assert former is not None
        if state.phases[former] != _ENDED:
            return
        memory = self._memory.adopt(state.memory, index, former)
        if memory is not None:
            phases = (*state.phases[:index], _RUNS, *state.phases[index + 1 :])
            started = state._replace(phases=phases, memory=memory)
            yield _Step(f"{self._threads[index].name}: starts", self._settle(started))

    def _settle(self, state: _State) -> _State:
        """Forget what cannot matter any more, so that more states are the same."""
        awaited = {
            thread.after
            for index, thread in enumerate(self._threads)
            if state.phases[index] == _NOT_STARTED
        }
        dead = [
            index
            for index, phase in enumerate(state.phases)
            if phase == _NOT_STARTED or (phase == _ENDED and index not in awaited)
        ]
        return state._replace(memory=self._memory.forget(state.memory, dead))

    def _trace(self, state: _State, verdict: str) -> str:
        lines = [verdict]
        at: _State | None = state
        while at is not None:
            step = self._from[at]
            if step is None:
                break
            at, what = step
            lines.append(f"  {what}")
        return "\n".join([lines[0], *reversed(lines[1:])])
