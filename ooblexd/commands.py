"""What supervisor and workers say to one another.

Each worker has one end of a ``SOCK_SEQPACKET`` pair: a message is one datagram of JSON,
and descriptors travel beside it (``SCM_RIGHTS``). Both ends are non-blocking. These are
the only types that cross it.
"""

from __future__ import annotations

import array
import enum
import json
import socket
from dataclasses import asdict, dataclass
from typing import ClassVar, TypeAlias

from ooblexd.plan import (
    ListenProtocol,  # noqa: TC001 # messages can be built by their types
)
from ooblexd.signalling import PeerWish, Signal, Signalled

_MESSAGE_BYTES = 1 << 20
_MAX_FDS = 32


class RingKind(str, enum.Enum):
    """The rings of a stream, in the order of its flow."""

    UPLOADED = "uploaded"  # of a stream whose pictures clients send, and no other
    RAW = "raw"
    PROCESSED = "processed"
    ENCODED = "encoded"  # JPEG
    VIDEO = "video"  # H.264, in order
    AUDIO = "audio"  # as the source encodes it, in order


@dataclass(frozen=True, slots=True)
class AttachWriter:
    """Write this ring from now on; fds: the segment, then one eventfd a reader."""

    tag: ClassVar[str] = "attach_writer"
    stream: str
    kind: str
    slots: int
    slot_bytes: int
    readers: int
    history: int
    generation: int


@dataclass(frozen=True, slots=True)
class AttachReader:
    """Read this ring from now on, in ``place``; fds: the segment, the eventfd."""

    tag: ClassVar[str] = "attach_reader"
    stream: str
    kind: str
    slots: int
    slot_bytes: int
    readers: int
    history: int
    place: int


@dataclass(frozen=True, slots=True)
class ConfigureStream:
    """Work for this stream by this plan; fds: the eventfds that tell of demand.

    Each worker gets the one that wakes it, control all, since it writes to them.

    Attributes:
        plan: A `StreamPlan` as JSON; the credentials of the source only for ingest,
            pushes, whose addresses hold keys, only for output.
        revision: Of this plan.
        required_revision: What a frame must have passed to be shown.
        stage_page: Index of the page that the stage writes.
        stream_page: Index of the supervisor's page.
        demand_page: Index of control's page.
        ingest_page: Index of the page that the stream's ingest writes.
        ingest_worker_page: Index of the worker page of the stream's ingest.
        inference_page: Index of the page that the stream's inference writes.
        output_page: Index of the page that the stream's output writes.
        scene: Number of the view that the plan means: a frame of another one has not
            passed it.
        pushes_page: Index of the page on which output says how its pushes are.
    """

    tag: ClassVar[str] = "configure_stream"
    stream: str
    plan: str
    revision: int
    required_revision: int
    stage_page: int
    stream_page: int
    demand_page: int
    ingest_page: int
    ingest_worker_page: int
    inference_page: int
    output_page: int
    scene: int = 0
    pushes_page: int = 0


@dataclass(frozen=True, slots=True)
class ForgetStream:
    """Close all that belongs to this stream."""

    tag: ClassVar[str] = "forget_stream"
    stream: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker does its work; sent once."""

    tag: ClassVar[str] = "ready"


@dataclass(frozen=True, slots=True)
class NeedSlots:
    """The writer met a frame too large for the slots of its ring."""

    tag: ClassVar[str] = "need_slots"
    stream: str
    kind: str
    slot_bytes: int


@dataclass(frozen=True, slots=True)
class SlotsRefused:
    """There is no memory for larger slots; the ring stays as it is."""

    tag: ClassVar[str] = "slots_refused"
    stream: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class ApplyPlans:
    """Control asks for a change: all of it, or nothing.

    Attributes:
        request: Its number, for the answer.
        plans: What each stream is to do, as JSON; an empty plan removes it.
        daemon: A `DaemonPlan` without streams as JSON, once the whole configuration is
            as the new file says; empty for a change of streams alone.
        former: Digest of the configuration file that the change was made from.
        after: Digest of the new one, which waits beside it and is put in its place
            when nothing can fail any more; empty where no file is to change.
    """

    tag: ClassVar[str] = "apply_plans"
    request: int
    plans: dict[str, str]
    daemon: str = ""
    former: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The answer: what `ApplyPlans` asks for is so, or why not.

    Attributes:
        request: Of the question.
        error: Empty where it was done.
        needed_bytes: Where shared memory was too little.
        free_bytes: Likewise.
        is_lack: The system gives no more of something else, or not now.
    """

    tag: ClassVar[str] = "applied"
    request: int
    error: str
    needed_bytes: int
    free_bytes: int
    is_lack: bool = False


@dataclass(frozen=True, slots=True)
class LayoutChanged:
    """Which pages there are: a `layout.Layout` as JSON, for control."""

    tag: ClassVar[str] = "layout_changed"
    layout: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Let publishers in at a `ooblexd.plan.Place`; fd: the listening socket."""

    tag: ClassVar[str] = "listen"
    protocol: ListenProtocol
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ListenNoMore:
    """Let nobody in there any longer."""

    tag: ClassVar[str] = "listen_no_more"
    protocol: ListenProtocol
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Admit:
    """Take this publisher of your stream; fd: the connection.

    Attributes:
        stream: Which one.
        peer: Its address, for messages.
        transcript: All that it has said so far, as base64.
        refusals: What it wanted in vain before that.
    """

    tag: ClassVar[str] = "admit"
    stream: str
    peer: str
    transcript: str
    refusals: int


class Runs(str, enum.Enum):
    """Which configuration the daemon runs."""

    FILE = "file"
    FORMER = "former"  # a reload failed: what ran before it runs on
    LAST_GOOD = "last good"  # the file was bad at the start: its last good version runs
    NOTHING = "nothing"  # likewise, and there was none: safe mode


@dataclass(frozen=True, slots=True)
class ConfigStatus:
    """How the configuration is, for control; sent whenever it changes.

    Attributes:
        runs: Which one runs, a `Runs`.
        problems: What is wrong with the file, a line each.
        daemon: What runs, a `DaemonPlan` without streams as JSON.
        restart_needed: Keys that take effect only after a restart.
        digest: Of the file as it was loaded; empty without a file.
    """

    tag: ClassVar[str] = "config_status"
    runs: str
    problems: list[str]
    daemon: str
    restart_needed: list[str]
    digest: str


Message: TypeAlias = (
    AttachWriter
    | AttachReader
    | ConfigureStream
    | ForgetStream
    | Ready
    | NeedSlots
    | SlotsRefused
    | ApplyPlans
    | Applied
    | LayoutChanged
    | ConfigStatus
    | Signal
    | Signalled
    | PeerWish
    | Listen
    | ListenNoMore
    | Admit
)
_TYPES: dict[str, type[Message]] = {
    kind.tag: kind
    for kind in (
        AttachWriter,
        AttachReader,
        ConfigureStream,
        ForgetStream,
        Ready,
        NeedSlots,
        SlotsRefused,
        ApplyPlans,
        Applied,
        LayoutChanged,
        ConfigStatus,
        Signal,
        Signalled,
        PeerWish,
        Listen,
        ListenNoMore,
        Admit,
    )
}


def send(end: socket.socket, message: Message, fds: tuple[int, ...] = ()) -> None:
    """Send ``message`` and copies of ``fds``.

    Raises:
        BlockingIOError: The other end has not read for long; try again later.
        ConnectionError: It is gone.
    """
    data = json.dumps({"tag": message.tag, **asdict(message)}).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    end.sendmsg([data], rights if fds else [])


def receive(end: socket.socket) -> tuple[Message, list[int]] | None:
    """Return the next message and its descriptors, which the caller owns.

    Returns:
        None when the other end is closed.

    Raises:
        BlockingIOError: Nothing is there.
    """
    data, ancillary, _flags, _address = end.recvmsg(
        _MESSAGE_BYTES, socket.CMSG_SPACE(_MAX_FDS * 4), socket.MSG_CMSG_CLOEXEC
    )
    if not data:
        return None
    fds = array.array("i")
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
    fields = json.loads(data)
    return _TYPES[fields.pop("tag")](**fields), list(fds)
