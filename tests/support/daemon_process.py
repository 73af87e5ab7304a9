"""The daemon without its control: in that one's place a viewer that reports to a test.

Run as ``python -m tests.support.daemon_process FD PLAN GATE``: ``FD`` is a stream
socket to the test, ``PLAN`` a `DaemonPlan` as JSON. ``GATE`` is empty, or
a FIFO: then a reload takes its plan from ``plan`` beside it, and goes on when the
writing end of the FIFO is closed. Supervisor, stages and rings are the real
ones; the viewer is a worker as control is one, with the same descriptors and messages.
It answers each line of JSON with one line.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ooblexd import commands
from ooblexd.commands import (
    Applied,
    ApplyPlans,
    AttachReader,
    ConfigureStream,
    ForgetStream,
    LayoutChanged,
    Ready,
    RingKind,
)
from ooblexd.counters import DemandWord, StageWord
from ooblexd.frame import Step
from ooblexd.heartbeat import Heartbeat, WorkerState, WorkerWord
from ooblexd.layout import Layout, parse_layout
from ooblexd.log import configure_logging
from ooblexd.plan import parse_daemon_plan
from ooblexd.stages.worker import run_worker
from ooblexd.supervisor.listener import open_listener
from ooblexd.supervisor.reading import Reading
from ooblexd.supervisor.reload import Configuration
from ooblexd.supervisor.signals import SignalPipe
from ooblexd.supervisor.supervisor import Outside, Supervisor
from ooblexd.supervisor.worker import Worker, close_all_but

if TYPE_CHECKING:
    from ooblexd.board import Board
    from ooblexd.frame import FrameHeader
    from ooblexd.stages.attachment import ReaderEnd

_PAUSE_S = 0.2


class Watch:
    """What the viewer has seen of one stream."""

    def __init__(self) -> None:
        self.reader: ReaderEnd | None = None
        self.pictures: list[FrameHeader] = []
        self.newest_jpeg: dict[str, bytes] = {}

    def look(self) -> None:
        """Take the newest picture; then wait for the next."""
        from ooblexd.frame import HEADER_BYTES, unpack_header  # noqa: PLC0415 # after the fork

        if self.reader is None:
            return
        ring = self.reader.ring
        ring.drain_wake()
        while (lent := ring.newest()) is not None:
            header = unpack_header(lent.memory)
            self.pictures.append(header)
            end = HEADER_BYTES + header.payload_bytes
            self.newest_jpeg[header.verdict.name] = bytes(lent.memory[HEADER_BYTES:end])
        ring.prepare_wait()


class Viewer:
    """A worker in control's place: watches every stream, and does what a test asks."""

    def __init__(self, board: Board, end: socket.socket, test: socket.socket) -> None:
        self._board = board
        self._end = end
        self._test = test
        self._lines = test.makefile("rw")
        self._watches: dict[str, Watch] = {}
        self._layout: Layout | None = None
        self._requests = 0

    def run(self, heartbeat: Heartbeat) -> int:
        """Watch until the supervisor is gone."""
        commands.send(self._end, Ready())
        while self._hear():
            heartbeat.beat()
            for watch in self._watches.values():
                watch.look()
            readers = [w.reader.wake_fd for w in self._watches.values() if w.reader]
            # Questions wait until it is known what there is to be asked about.
            questions = [self._test.fileno()] if self._layout else []
            fds = [self._end.fileno(), *questions, *readers]
            ready = select.select(fds, [], [], _PAUSE_S)[0]
            if self._test.fileno() in ready:
                line = self._lines.readline()
                if not line:
                    return 0
                self._obey(json.loads(line))
        return 0

    def _hear(self) -> bool:
        while True:
            try:
                received = commands.receive(self._end)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            if received is None:
                return False
            self._take(*received)

    def _take(self, message: commands.Message, fds: list[int]) -> None:
        from ooblexd.stages.attachment import ReaderEnd  # noqa: PLC0415 # after the fork

        match message:
            case AttachReader(kind=RingKind.ENCODED.value):
                watch = self._watches.setdefault(message.stream, Watch())
                watch.reader = ReaderEnd(message, fds, watch.reader)
                return
            case ConfigureStream():
                words = self._board.page(message.demand_page).words
                words[DemandWord.VIEWERS] = 1
                for fd in fds:
                    os.eventfd_write(fd, 1)
            case ForgetStream() if message.stream in self._watches:
                reader = self._watches.pop(message.stream).reader
                if reader is not None:
                    reader.close()
            case LayoutChanged():
                self._layout = parse_layout(message.layout)
            case Applied():
                answer = [message.error, message.needed_bytes, message.free_bytes]
                self._answer(answer)
            case _:
                pass
        for fd in fds:
            os.close(fd)

    def _obey(self, wish: dict[str, Any]) -> None:
        match wish["ask"]:
            case "apply":
                self._requests += 1
                ask = ApplyPlans(self._requests, wish["plans"])
                commands.send(self._end, ask)
            case "pictures":
                watch = self._watches.get(wish["stream"], Watch())
                since = watch.pictures[wish["since"] :]
                self._answer([_told(header) for header in since])
            case "jpeg":
                jpeg = self._watches[wish["stream"]].newest_jpeg[wish["verdict"]]
                self._answer(base64.b64encode(jpeg).decode())
            case "workers":
                self._answer(self._workers())
            case "stage":
                self._answer(self._stage(wish["stream"], wish["stage"]))

    def _workers(self) -> dict[str, Any]:
        assert self._layout is not None
        found = {}
        for worker in self._layout.workers:
            words = self._board.page(worker.page).words
            state = WorkerState(words[WorkerWord.STATE]).name
            pid, restarts = words[WorkerWord.PID], words[WorkerWord.RESTARTS]
            found[worker.name] = {"state": state, "pid": pid, "restarts": restarts}
        return found

    def _stage(self, stream: str, stage: str) -> dict[str, Any]:
        assert self._layout is not None
        layout = next(one for one in self._layout.streams if one.name == stream)
        page = self._board.page(getattr(layout, f"{stage}_page"))
        words: dict[str, Any] = {word.name: page.words[word] for word in StageWord}
        return {**words, "text": page.read_text()}

    def _answer(self, value: Any) -> None:
        self._lines.write(json.dumps(value) + "\n")
        self._lines.flush()


def _told(header: FrameHeader) -> dict[str, Any]:
    return {
        # When output showed it: this process may have been stopped since.
        "at_ns": header.steps_ns[Step.ENCODED],
        "verdict": header.verdict.name,
        "sequence": header.sequence,
        "revision": header.revision,
        "capture_ns": header.capture_ns,
        "width": header.width,
        "height": header.height,
    }


def _run(
    test: socket.socket,
    supervisor: Supervisor,
    worker: Worker,
    end: socket.socket,
    parent: int,
) -> int:
    if worker.kind != "control":
        return run_worker(supervisor, worker, end, parent)
    close_all_but({0, 1, 2, end.fileno(), test.fileno()})
    page = supervisor.board.page(worker.page_index)
    return Viewer(supervisor.board, end, test).run(Heartbeat(page))


def main() -> None:
    """Be the supervisor."""
    test = socket.socket(fileno=int(sys.argv[1]))
    plan = parse_daemon_plan(sys.argv[2])
    configure_logging("supervisor", "info")
    listener = open_listener(plan.host, plan.port)
    begin, outside = Configuration(plan), Outside(listener, SignalPipe())
    Supervisor(
        begin, outside, partial(_run, test), lambda: Reading(_read_when_allowed)
    ).run()


def _read_when_allowed() -> str:
    if not sys.argv[3]:
        return sys.argv[2]
    gate = Path(sys.argv[3])
    plan = gate.with_name("plan").read_text()
    gate.read_bytes()
    return plan


if __name__ == "__main__":
    main()
