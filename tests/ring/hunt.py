"""A hunt for wrong frames in a ring of real processes that are stopped and killed.

One writer publishes frames with a checksum as fast as it can, readers check each frame
that they borrow. Each of them stops now and then at a step of the ring's own code,
chosen by chance, while the others go on; there the hunt kills it or sends it on. It
also stops and kills them at any other moment. Who was killed is replaced as the
supervisor does it: after ``waitpid``, on the same ring, at the same place. Now and then
the writer asks for slots of another size, and new memory is handed to all.

At a *muster* the writer is silent, nobody is hurt, and the hunt waits until every
reader has seen the newest frame: one that sleeps over it is found out.
"""

from __future__ import annotations

import mmap
import os
import re
import select
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.ring import RingSpec, create_segment, map_control
from ooblexd.ring import reader as reader_module
from ooblexd.ring import writer as writer_module
from tests.ring.automata import LABEL
from tests.ring.prey import (
    FRAME_BYTES,
    TALLY_WORDS,
    Checker,
    Ends,
    Tally,
    write,
)
from tests.ring.quarry import Line, Memory, Quarry, send_memory
from tests.ring.scenarios import Code
from tests.ring.steps import Chance

if TYPE_CHECKING:
    from types import ModuleType

_TICK_S = 0.002
_WORD_BYTES = 8


class Plan(NamedTuple):
    """What is hunted, and until when; all that is counted must be reached.

    Attributes:
        history: That of the ring; 0 for one of the newest frame only.
        readers: How many.
        frames: How many frames readers must have checked.
        kills: How many readers, and how many writers, must have been killed.
        changes: How many times the memory must have been replaced.
        calm_frames: How many frames a process handles between two stops, on average.
        patience_s: After so long without any frame checked somebody hangs.
        most_faults: With so many it ends early.
        code: What runs.
        seed: Of all chance, but for that of the machine.
    """

    history: int
    readers: int = 3
    frames: int = 5000
    kills: int = 10
    changes: int = 2
    calm_frames: int = 100
    patience_s: float = 60.0
    most_faults: int = 20
    code: Code = Code()
    seed: int = 0


@dataclass
class Bag:
    """What a hunt brought home.

    Attributes:
        frames: How many frames were checked.
        faults: What was wrong; a hang is the last of them.
        readers_killed: How many.
        writers_killed: How many.
        changes: How many times the memory was replaced.
        musters: How many times all readers had to see the newest frame.
        killed_at: How many were killed before each step.
    """

    frames: int = 0
    faults: list[str] = field(default_factory=list)
    readers_killed: int = 0
    writers_killed: int = 0
    changes: int = 0
    musters: int = 0
    killed_at: Counter[str] = field(default_factory=Counter)


def hunt(plan: Plan) -> Bag:
    """Hunt until ``plan`` is fulfilled or too much is wrong."""
    with ExitStack() as stack:
        return _Hunt(plan, stack).run()


def steps_of(module: ModuleType, *, history: int) -> list[str]:
    """Return the labels of a module's steps that are taken in such a ring."""
    labels = sorted(set(LABEL.findall(Path(module.__file__ or "").read_text())))
    elsewhere = (
        r"ATTACH|RELEASE 2|TAKE 6"
        if history
        else r"ATTACH|TAKE|RELEASE 2|CLAIM [23]"
        r"|PUBLISH 1|RESUME [23]"
    )
    return [label for label in labels if not re.match(elsewhere, label)]


class _Hunt:
    def __init__(self, plan: Plan, stack: ExitStack) -> None:
        self._plan = plan
        self._bag = Bag()
        self._random = Random(plan.seed)  # noqa: S311  # chance, no secret
        self._labels = {
            True: ["FILL", *steps_of(writer_module, history=plan.history)],
            False: ["HOLD", "SLEEP", *steps_of(reader_module, history=plan.history)],
        }
        page = mmap.mmap(-1, plan.readers * TALLY_WORDS * _WORD_BYTES)
        self._words = memoryview(page).cast("Q")
        self._wake_fds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(plan.readers)]
        for fd in self._wake_fds:
            stack.callback(os.close, fd)
        self._generation = 0
        self._is_mustering = False
        self._segment = create_segment(self._spec(FRAME_BYTES))
        self._control = map_control(self._segment)
        self._processes = [self._start(place) for place in (*range(plan.readers), -1)]
        stack.callback(self._close)

    def run(self) -> Bag:
        moved_at, moved = time.monotonic(), -1
        while not self._is_over():
            lines = {process.line.messages: process for process in self._processes}
            for ready in select.select(list(lines), [], [], _TICK_S)[0]:
                self._hear(lines[ready])
            if self._is_mustering:
                self._muster()
            else:
                self._disturb()
            self._bag.frames = sum(tally.checked for tally in self._tallies())
            if self._bag.frames != moved:
                moved_at, moved = time.monotonic(), self._bag.frames
            elif time.monotonic() > moved_at + self._plan.patience_s:
                self._bag.faults.append(f"nobody moves: {self._picture()}")
                break
        return self._bag

    def _is_over(self) -> bool:
        bag, plan = self._bag, self._plan
        is_done = (
            bag.frames >= plan.frames
            and bag.readers_killed >= plan.kills
            and bag.writers_killed >= plan.kills
            and bag.changes >= plan.changes
            and bag.musters >= plan.changes
        )
        return is_done or len(bag.faults) >= plan.most_faults

    def _tallies(self) -> list[Tally]:
        return [Tally(self._words, place) for place in range(self._plan.readers)]

    def _picture(self) -> str:
        """Return who is where, for whoever has to explain a hang."""
        places = [
            f"{process.name} at {process.at or 'work'}, "
            f"{self._tallies()[process.place].seen if process.place >= 0 else ''}"
            for process in self._processes
        ]
        return f"frame {self._control.sequence}; {'; '.join(places)}"

    # What a process says.

    def _hear(self, process: Quarry) -> None:
        try:
            text = process.line.messages.recv(1024).decode()
        except ConnectionResetError:  # it was killed with memory unread
            text = ""
        what, _, rest = text.partition(" ")
        if what == "wrong":
            self._bag.faults.append(f"{process.name}: {rest}")
        elif what == "need":
            self._change(int(rest))
        elif what == "muster":
            self._is_mustering = True
            process.at = text
        elif text:
            process.at = text
        else:
            code = self._replace(process)
            self._bag.faults.append(f"{process.name} has ended by itself: {code}")

    def _change(self, slot_bytes: int) -> None:
        """Hand all new memory, in which the sequence goes on; the writer is silent."""
        segment = create_segment(self._spec(slot_bytes), self._control.sequence)
        self._control.close()
        self._segment.close()
        self._segment, self._control = segment, map_control(segment)
        for process in self._processes:
            send_memory(process.line, Memory(segment.fd, segment.spec))
        self._bag.changes += 1

    def _muster(self) -> None:
        for process in self._processes:
            process.thaw()
            if process.place >= 0:
                process.send_on()
        if all(tally.seen >= self._control.sequence for tally in self._tallies()):
            self._is_mustering = False
            self._bag.musters += 1
            self._processes[-1].send_on()

    # What is done to it.

    def _disturb(self) -> None:
        random = self._random
        for process in list(self._processes):
            if process.is_frozen and random.random() < 0.3:
                process.thaw()
            elif process.at and random.random() < 0.4:
                if random.random() < 0.5:
                    self._kill(process)
                else:
                    process.send_on()
        if random.random() < 0.05:
            process = random.choice(self._processes)
            if random.random() < 0.3:
                self._kill(process)
            else:
                process.freeze()

    def _kill(self, process: Quarry) -> None:
        process.kill()
        self._bag.killed_at[process.at or "anywhere"] += 1
        if process.place < 0:
            self._bag.writers_killed += 1
        else:
            self._bag.readers_killed += 1
        self._replace(process)

    def _replace(self, process: Quarry) -> int:
        """Start another in the same place, once ``waitpid`` has returned its code."""
        code = process.reap()
        if process.place >= 0:
            self._control.clear_reader(process.place)
        self._processes[process.place] = self._start(process.place)
        return code

    def _start(self, place: int) -> Quarry:
        random = Random(self._random.random())  # noqa: S311  # chance, no secret
        self._generation += place < 0

        def live(line: Line) -> None:
            ends = Ends(
                line,
                Memory(self._segment.fd, self._segment.spec),
                self._wake_fds,
                Chance(random, self._labels[place < 0], self._plan.calm_frames),
                self._plan.code,
            )
            if place < 0:
                write(ends, self._generation)
            else:
                Checker(ends, place, Tally(self._words, place)).run()

        return Quarry(place, live)

    def _spec(self, slot_bytes: int) -> RingSpec:
        plan = self._plan
        slots = plan.readers + 2 + plan.history
        return RingSpec(slots, slot_bytes, plan.readers, plan.history)

    def _close(self) -> None:
        for process in self._processes:
            process.kill()
            process.reap()
        self._control.close()
        self._segment.close()
