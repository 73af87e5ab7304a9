"""Control as a process of its own, and around it what the supervisor would do.

Everything is real but the supervisor: the board, the encoded rings, the command socket,
the listener, and the worker that serves it. `ControlBench` answers its `ApplyPlans` as
it is told to, and publishes the pictures that output would.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from ooblexd.board import Board
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import (
    Applied,
    ApplyPlans,
    AttachReader,
    ConfigureStream,
    ForgetStream,
    LayoutChanged,
    Message,
    NeedSlots,
    Ready,
    receive,
    send,
)
from ooblexd.config.replacing import put_in_place
from ooblexd.control.worker import ControlContext, run_control
from ooblexd.counters import (
    DemandWord,
    SourceState,
    StageWord,
    StreamWord,
    Watching,
)
from ooblexd.frame import HEADER_BYTES, FrameHeader, PixelFormat, Step, Verdict
from ooblexd.heartbeat import WorkerState, WorkerWord
from ooblexd.layout import Layout, StreamLayout, WorkerLayout, format_layout
from ooblexd.plan import DaemonPlan, StreamPlan, format_plan, parse_stream_plan
from ooblexd.renditions import pack_table
from ooblexd.ring import RingSpec, RingWriter, create_segment, open_writer
from ooblexd.signalling import Signal, Signalled
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ooblexd.renditions import Rendition
    from ooblexd.ring import Segment

JPEG = b"\xff\xd8 a picture \xff\xd9"
Answer = tuple[str, int, int] | tuple[str, int, int, bool]
"""Error, needed bytes, free bytes, and whether it is a lack, as in `Applied`."""


@dataclass
class BenchStream:
    """One stream of the bench: its pages and the writing end of its encoded ring."""

    plan: StreamPlan
    layout: StreamLayout
    segment: Segment
    writer: RingWriter
    wake_fd: int
    demand_fd: int
    sequence: int = 0
    is_without_memory: bool = False


@dataclass
class ControlBench:
    """A running control worker and the supervisor's part of its world."""

    config_path: Path
    allowed_hosts: tuple[str, ...] = ()
    slot_bytes: int = 1 << 18
    streams: dict[str, BenchStream] = field(default_factory=dict)
    wishes: list[ApplyPlans] = field(default_factory=list)
    needs: list[NeedSlots] = field(default_factory=list)
    answer: Callable[[ApplyPlans], Answer | None] = field(default=lambda _: ("", 0, 0))
    signals: list[Signal] = field(default_factory=list)
    signalled: Callable[[Signal], Signalled | None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        self.board = Board()
        self.supervisor_page = self.board.allocate()
        self.page = self.board.allocate()
        self.workers: dict[str, int] = {"control": self.page}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        self.port: int = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.is_ready = threading.Event()
        own = self.board.page(self.supervisor_page)
        own.words[WorkerWord.STATE_SINCE_NS] = monotonic_ns()
        self.beat(3600)
        self.board.page(self.page).words[WorkerWord.STATE] = WorkerState.UP

    # The process.

    def start(self, *, tells_layout: bool = True) -> None:
        """Fork control and tell it all that there is, as after a respawn too."""
        self.is_ready.clear()
        self.end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        plan = DaemonPlan(
            "127.0.0.1", self.port, str(self.config_path), self.allowed_hosts
        )
        context = ControlContext(
            board=self.board,
            commands=theirs,
            listener=self.listener,
            page=self.page,
            plan=plan,
            supervisor_page=self.supervisor_page,
            parent_pid=os.getpid(),
        )
        self.pid = _fork(lambda: run_control(context), closing=self.end)
        theirs.close()
        self._reader = threading.Thread(target=self._serve, args=(self.end,))
        self._reader.start()
        for stream in self.streams.values():
            self._brief(stream)
        if tells_layout:
            self.tell_layout()
        assert self.is_ready.wait(30), "control did not become ready"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the wait status, once it has ended."""
        os.kill(self.pid, number)
        status: list[int] = []

        def has_ended() -> bool:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            status.append(code)
            return pid != 0

        eventually(has_ended)
        self._reader.join()
        self.end.close()
        return status[-1]

    def close(self) -> None:
        """Close what the bench itself holds."""
        self.listener.close()
        for stream in self.streams.values():
            stream.writer.close()
            stream.segment.close()
            os.close(stream.wake_fd)
            os.close(stream.demand_fd)

    # The supervisor's part.

    def beat(self, within_s: float) -> None:
        """Promise, in the supervisor's name, to be back within ``within_s``."""
        until_ns = monotonic_ns() + int(within_s * NS_PER_S)
        self.board.page(self.supervisor_page).words[0] = max(until_ns, 0)

    def add_worker(self, name: str, state: WorkerState = WorkerState.UP) -> None:
        """Have a worker on the board."""
        self.workers[name] = self.board.allocate()
        self.board.page(self.workers[name]).words[WorkerWord.STATE] = state

    def add_stream(self, plan: StreamPlan) -> BenchStream:
        """Have a stream that runs; call it before `start`, or `tell` control after."""
        workers = (f"ingest:{plan.name}", "inference:0", f"output:{plan.name}")
        for worker in workers:
            if worker not in self.workers:
                self.add_worker(worker)
        allocate = self.board.allocate
        layout = StreamLayout(
            name=plan.name,
            plan=format_plan(plan),
            stream_page=allocate(),
            demand_page=allocate(),
            ingest_page=allocate(),
            inference_page=allocate(),
            output_page=allocate(),
            workers=workers,
        )
        spec = RingSpec(slots=3, slot_bytes=self.slot_bytes, readers=1)
        segment = create_segment(spec)
        wake_fd, demand_fd = _eventfd(), _eventfd()
        writer = open_writer(segment.fd, spec, [wake_fd], 1)
        stream = BenchStream(plan, layout, segment, writer, wake_fd, demand_fd)
        self.streams[plan.name] = stream
        self.source(plan.name, SourceState.RUNNING)
        # Else a test that is stopped for a second has published what is too old.
        output = self.board.page(layout.output_page)
        output.words[StageWord.MAX_AGE_NS] = 60 * NS_PER_S
        return stream

    def change(self, plan: StreamPlan) -> None:
        """Give a stream another plan."""
        stream = self.streams[plan.name]
        stream.plan = plan
        stream.layout = replace(stream.layout, plan=format_plan(plan))
        self.tell_layout()

    def forget(self, name: str) -> None:
        """Have a stream end."""
        self.streams.pop(name)
        send(self.end, ForgetStream(name))
        self.tell_layout()

    def tell(self, name: str) -> None:
        """Tell control of a stream that came after its start."""
        self._brief(self.streams[name])
        self.tell_layout()

    def tell_layout(self) -> None:
        """Tell control where all pages are."""
        streams = tuple(stream.layout for stream in self.streams.values())
        workers = tuple(WorkerLayout(*item) for item in self.workers.items())
        layout = Layout(self.supervisor_page, streams, workers)
        send(self.end, LayoutChanged(format_layout(layout)))

    def replace_segment(self, name: str) -> None:
        """Give a stream's encoded ring new memory, as when its slots grow."""
        stream = self.streams[name]
        spec = stream.segment.spec
        segment = create_segment(spec, first_sequence=stream.writer.sequence)
        stream.writer.close()
        stream.segment.close()
        stream.segment = segment
        stream.writer = open_writer(segment.fd, spec, [stream.wake_fd], 2)
        self._attach(stream)

    def source(self, name: str, state: SourceState, reason: str = "") -> None:
        """Say of a stream what its ingest would."""
        page = self.board.page(self.streams[name].layout.ingest_page)
        page.words[StageWord.STATE] = state
        page.words[StageWord.LAST_FRAME_NS] = monotonic_ns() + 3600 * NS_PER_S
        page.write_text(reason)

    def require(self, name: str, revision: int) -> None:
        """Ask for ``revision`` from now on."""
        page = self.board.page(self.streams[name].layout.stream_page)
        page.words[StreamWord.REQUIRED_REVISION] = revision

    # Output's part.

    def publish(  # noqa: PLR0913, PLR0917 # a picture has so many sides
        self,
        name: str,
        jpeg: bytes = JPEG,
        verdict: Verdict = Verdict.LIVE,
        age_ns: int = 0,
        revision: int = 0,
        smaller: Mapping[Rendition, bytes] | None = None,
    ) -> FrameHeader:
        """Put a picture into a stream's encoded ring, and its smaller forms."""
        stream = self.streams[name]
        stream.sequence += 1
        now_ns = monotonic_ns()
        header = FrameHeader(
            sequence=stream.sequence,
            width=640,
            height=360,
            capture_ns=now_ns - age_ns,
            payload_bytes=len(jpeg),
            pixel_format=PixelFormat.JPEG,
            verdict=verdict,
            revision=revision,
        ).stamped(Step.ENCODED, now_ns)
        loan = stream.writer.loan()
        header.pack_into(loan.memory)
        forms = smaller or {}
        payload = b"".join((jpeg, *forms.values()))
        loan.memory[HEADER_BYTES : HEADER_BYTES + len(payload)] = payload
        pack_table(loan.memory, [(one, len(data)) for one, data in forms.items()])
        stream.writer.publish(loan)
        return header

    def demand(self, name: str, word: int) -> int:
        """Read what control says of a stream's viewers."""
        return self.board.page(self.streams[name].layout.demand_page).words[word]

    def await_viewers(
        self, name: str, count: int, watching: Watching = Watching.MJPEG
    ) -> None:
        """Wait until control counts ``count`` viewers of a stream."""
        eventually(lambda: self.demand(name, DemandWord.VIEWERS + watching) == count)

    def resident_kib(self) -> int:
        """Return the memory that control has in use."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def client(self) -> httpx.Client:
        """Return a client of control's port."""
        return httpx.Client(base_url=self.url, timeout=30)

    # Within.

    def _brief(self, stream: BenchStream) -> None:
        pages = stream.layout
        configure = ConfigureStream(
            stream=pages.name,
            plan=pages.plan,
            revision=0,
            required_revision=0,
            stage_page=pages.demand_page,
            stream_page=pages.stream_page,
            demand_page=pages.demand_page,
            ingest_page=pages.ingest_page,
            ingest_worker_page=0,
            inference_page=pages.inference_page,
            output_page=pages.output_page,
        )
        send(self.end, configure, (stream.demand_fd,))
        if not stream.is_without_memory:
            self._attach(stream)

    def _attach(self, stream: BenchStream) -> None:
        spec = stream.segment.spec
        attach = AttachReader(
            stream=stream.layout.name,
            kind="encoded",
            slots=spec.slots,
            slot_bytes=spec.slot_bytes,
            readers=spec.readers,
            history=spec.history,
            place=0,
        )
        send(self.end, attach, (stream.segment.fd, stream.wake_fd))

    def _serve(self, end: socket.socket) -> None:
        end.setblocking(False)
        while True:
            select.select([end], [], [])
            try:
                received = receive(end)
            except ConnectionError:
                return
            if received is None:
                return
            self._take(received[0], end)

    def _take(self, message: Message, end: socket.socket) -> None:
        if isinstance(message, Ready):
            self.is_ready.set()
        elif isinstance(message, NeedSlots):
            self.needs.append(message)
        elif isinstance(message, Signal):
            self.signals.append(message)
            said = self.signalled(message)
            if said is not None:
                send(end, said)
        elif isinstance(message, ApplyPlans):
            self.wishes.append(message)
            answer = self.answer(message)
            if answer is None:
                return
            with suppress(ConnectionError):  # it may have died meanwhile
                if not answer[0]:
                    self._apply(message)
                send(end, Applied(message.request, *answer))

    def _apply(self, wish: ApplyPlans) -> None:
        if wish.after:
            put_in_place(self.config_path, wish.former, wish.after)
        for name, plan in wish.plans.items():
            if not plan:
                self.forget(name)
            elif name in self.streams:
                self.change(parse_stream_plan(plan))
            else:
                self.add_stream(parse_stream_plan(plan))
                self.tell(name)


@contextmanager
def control_bench(
    config_path: Path,
    *plans: StreamPlan,
    allowed_hosts: tuple[str, ...] = (),
    slot_bytes: int = 1 << 18,
) -> Iterator[ControlBench]:
    """Lend a running control worker with a stream a plan."""
    bench = ControlBench(config_path, allowed_hosts, slot_bytes)
    bench.add_worker("inference:0")
    for plan in plans:
        bench.add_stream(plan)
    bench.start()
    try:
        yield bench
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            bench.stop(signal.SIGKILL)
        bench.close()


def _eventfd() -> int:
    return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


def _fork(body: Callable[[], None], closing: socket.socket) -> int:
    with warnings.catch_warnings():
        # The threads that it warns of are of libraries, and hold nothing of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        closing.close()
        body()
        code = 0
    finally:
        os._exit(code)
