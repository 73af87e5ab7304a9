"""The ring's own code as automata that an explorer can step.

A thread's program is a list of acts (open, loan, fill, publish, …), each a call of the
real ``RingWriter`` or ``RingReader`` on scripted words. An act runs until it asks the
memory for something that has not been answered, and is run again from its start with
the answer: the code is deterministic, so the answers are its whole state. Each pair of
state and answer is run once and remembered, so that the search itself is table look-up.

Every operation is named by the label in the comment of the line that asks for it
(``PUBLISH 2``), so that a test can weaken that one.
"""

from __future__ import annotations

import copy
import linecache
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ooblexd.errors import RingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LABEL = re.compile(r"# ([A-Z]+ \d)")
_IN_COMPREHENSIONS = {"CLAIM 1"}


class Request(NamedTuple):
    """What a thread asks of the memory next.

    ``kind`` is one of: load, store, fence (of the ring's words), write and read (of
    a payload: all of slot ``at``, which must hold frame ``value``), wake and sleep (of
    place ``at``), lost (frame ``value`` was lost), wrong (a broken promise, in
    ``label``).
    """

    kind: str
    at: int = 0
    value: int = 0
    label: str = ""
    relaxed: bool = False


class _Paused(BaseException):
    """The act has come to a request without an answer."""

    def __init__(self, request: Request) -> None:
        self.request = request


class Wrong(Exception):  # noqa: N818  # a verdict about the ring, raised by an act
    """The ring broke a promise."""


@dataclass(eq=False)
class Script:
    """``Words`` whose answers are given beforehand, and what else an act can do.

    Attributes:
        weakened: Labels of loads and stores that order nothing, for this run.
        dropped: Labels of operations that do not happen.
        early: What the words hold when the scenario starts, for a reader or writer
            that is opened before it: fewer states where opening is not the question.
    """

    weakened: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    early: Mapping[int, int] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    _answers: tuple[int, ...] = ()
    _position: int = 0

    def begin(self, answers: tuple[int, ...]) -> None:
        self._answers = answers
        self._position = 0

    def load(self, offset: int) -> int:
        label = self._label()
        if offset in self.early and label.startswith(("ATTACH", "RESUME")):
            return self.early[offset]
        return self._ask(
            Request("load", offset, 0, label, relaxed=label in self.weakened)
        )

    def store(self, offset: int, value: int) -> None:
        label = self._label()
        if label not in self.dropped:
            self._ask(
                Request("store", offset, value, label, relaxed=label in self.weakened)
            )

    def fence(self) -> None:
        label = self._label()
        if label not in self.dropped:
            self._ask(Request("fence", 0, 0, label))

    def close(self) -> None:
        pass

    def write(self, slot: int, sequence: int, writer: int) -> None:
        self._ask(Request("write", slot, sequence * 4 + writer))

    def read(self, slot: int, sequence: int) -> None:
        self._ask(Request("read", slot, sequence))

    def wake(self, place: int) -> None:
        self._ask(Request("wake", place))

    def sleep(self, place: int) -> None:
        self._ask(Request("sleep", place))

    def lost(self, sequence: int) -> None:
        self._ask(Request("lost", 0, sequence))

    def _ask(self, request: Request) -> int:
        if self._position == len(self._answers):
            raise _Paused(request)
        self._position += 1
        return self._answers[self._position - 1]

    def _label(self) -> str:
        frame = sys._getframe(2)  # the line of the ring that asks
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        found = LABEL.search(line)
        assert found, f"no label: {line}"
        self.met.add(found[1])
        return found[1]


# An act gets the subject (a reader, a writer, or nothing yet) and returns it with the
# index of the act to go on with: None for the one that follows.
Act = "Callable[[Any, Script], tuple[Any, int | None]]"


class _Local(NamedTuple):
    act: int
    subject: Any
    answers: tuple[int, ...]
    request: Request | None


class Automaton:
    """One thread's program; its states are small integers, 0 the first."""

    def __init__(
        self,
        acts: Sequence[Callable[[Any, Script], tuple[Any, int | None]]],
        script: Script,
        fixed: Sequence[object] = (),
    ) -> None:
        self._acts = acts
        self._script = script
        # What copies of the subject share.
        self._fixed = {id(thing): thing for thing in (script, *fixed)}
        self._ids: dict[object, int] = {}
        self._locals: list[_Local] = []
        self._steps: dict[tuple[int, int], int] = {}
        self._run(0, None, ())

    def request(self, local: int) -> Request | None:
        """Return what the thread asks for in a state; ``None`` at its end."""
        return self._locals[local].request

    def step(self, local: int, answer: int) -> int:
        """Return the state that follows ``local`` on ``answer``."""
        found = self._steps.get((local, answer))
        if found is None:
            act, subject, answers, _ = self._locals[local]
            found = self._run(act, subject, (*answers, answer))
            self._steps[local, answer] = found
        return found

    def _run(self, act: int, former: Any, answers: tuple[int, ...]) -> int:
        while act < len(self._acts):
            self._script.begin(answers)
            subject = copy.deepcopy(former, dict(self._fixed))
            try:
                former, following = self._acts[act](subject, self._script)
            except _Paused as pause:
                asking = _Local(act, former, answers, pause.request)
                return self._intern(asking, self._picture(pause))
            except (RingError, Wrong, StopIteration) as error:
                wrong = Request("wrong", label=repr(error))
                return self._intern(_Local(act, former, answers, wrong))
            act = act + 1 if following is None else following
            answers = ()
        return self._intern(_Local(act, None, (), None))

    def _picture(self, pause: _Paused) -> object:
        """Return what the rest of the act depends on, for states to be the same.

        That is each frame's position and variables. A comprehension has more, what it
        collected so far, and there the answers have to do.
        """
        if pause.request.label in _IN_COMPREHENSIONS:
            return None
        frames = []
        trace = pause.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename != __file__:
                names = sorted(trace.tb_frame.f_locals.items())
                frames.append(
                    (
                        trace.tb_frame.f_code,
                        trace.tb_lasti,
                        tuple((name, self._freeze(value)) for name, value in names),
                    )
                )
            trace = trace.tb_next
        return tuple(frames)

    def _intern(self, local: _Local, picture: object = None) -> int:
        key: object = (local.act, self._freeze(local.subject), local.answers)
        if picture is not None:
            key = (local.act, picture, local.request)
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self._locals)
            self._locals.append(local)
        return found

    def _freeze(self, value: Any, within: tuple[int, ...] = ()) -> object:
        """Return a hashable picture of the subject, all that its future depends on."""
        if isinstance(value, list | tuple):
            return tuple(self._freeze(each, within) for each in value)
        if id(value) in self._fixed or callable(value) or id(value) in within:
            return None
        slots = getattr(type(value), "__slots__", ())
        if not slots:
            return value
        inner = (*within, id(value))
        return tuple(self._freeze(getattr(value, name, None), inner) for name in slots)
