"""What the supervisor owns for a stream: its rings, its pages, and who works for it.

The supervisor maps only the control page of a ring, never its pixels. It keeps every
descriptor, so that a replaced worker gets the same rings and the same places again, by
the same messages as its predecessor.
"""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING

from ooblexd.audio import SLOT_BYTES as AUDIO_SLOT_BYTES
from ooblexd.commands import (
    AttachReader,
    AttachWriter,
    ConfigureStream,
    RingKind,
)
from ooblexd.counters import StreamWord
from ooblexd.frame import HEADER_BYTES, i420_bytes
from ooblexd.layout import StreamLayout
from ooblexd.plan import StreamPlan, format_plan, is_same_scene, protects_more
from ooblexd.redaction import mask_url
from ooblexd.ring import RingControl, RingSpec, Segment, create_segment, map_control

if TYPE_CHECKING:
    from ooblexd.board import Board
    from ooblexd.commands import Message

_MIB = 1024 * 1024
# What a ring begins with; its writer asks for more when a frame does not fit.
FIRST_SLOT_BYTES = {
    RingKind.UPLOADED: _MIB,
    RingKind.RAW: HEADER_BYTES + i420_bytes(1280, 720),
    RingKind.PROCESSED: HEADER_BYTES + i420_bytes(1280, 720),
    RingKind.ENCODED: _MIB,
    RingKind.VIDEO: _MIB // 8,
    RingKind.AUDIO: AUDIO_SLOT_BYTES,
}
_HISTORY = {  # what a reader of all may be behind: half a second
    RingKind.VIDEO: 16,
    RingKind.AUDIO: 32,
}
_READERS = {RingKind.VIDEO: 2, RingKind.AUDIO: 2}  # else one
CONTROL = "control"


@dataclass(slots=True)
class StreamRing:
    """One ring of a stream, as the supervisor holds it.

    Attributes:
        segment: The memory; its descriptor is handed on.
        control: The mapped control page.
        wake_fds: One eventfd a reader place; they outlive the segment.
        writer: Name of the worker that writes.
        readers: Names of the workers that read, by place.
    """

    segment: Segment
    control: RingControl
    wake_fds: tuple[int, ...]
    writer: str
    readers: tuple[str, ...]

    def replace_segment(self, slot_bytes: int) -> None:
        """Make new memory in which the sequence goes on.

        Raises:
            SharedMemoryFullError: There is no room; the old memory stays.
        """
        spec = replace(self.segment.spec, slot_bytes=slot_bytes)
        segment = create_segment(spec, first_sequence=self.control.sequence)
        self._close_segment()
        self.segment, self.control = segment, map_control(segment)

    def close(self) -> None:
        """Let go of the memory; it ends with its last mapping."""
        self._close_segment()
        for fd in self.wake_fds:
            os.close(fd)

    def _close_segment(self) -> None:
        self.control.close()
        self.segment.close()


@dataclass(frozen=True, slots=True)
class StreamPages:
    """Indices of a stream's pages on the board."""

    stream: int
    demand: int
    ingest: int
    inference: int
    output: int
    pushes: int

    @classmethod
    def allocate(cls, board: Board) -> StreamPages:
        """Take as many as there are."""
        return cls(*(board.allocate() for _ in fields(cls)))

    def free(self, board: Board) -> None:
        """Give them back; whoever wrote them has ended."""
        for index in astuple(self):
            board.free(index)


class Stream:
    """A stream as the supervisor knows it.

    Attributes:
        plan: What it is to do.
        inference: Name of the inference worker that it is assigned to.
        rings: By kind; empty while the stream is not enabled. That of uploads comes
            and goes with a source that takes them.
        pages: On the board.
        demand_fds: By kind of worker, the eventfd by which control wakes it.
        is_removed: It goes for good as soon as its workers have ended.
    """

    def __init__(self, plan: StreamPlan, inference: str, board: Board) -> None:
        self.plan = plan
        self.inference = inference
        self.rings: dict[RingKind, StreamRing] = {}
        self.pages = StreamPages.allocate(board)
        self.demand_fds = {
            kind: os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            for kind in ("ingest", "inference", "output")
        }
        self.revision = 0
        self.required_revision = 0
        self.scene = 1
        self.is_removed = False
        self._board = board
        self._words = board.page(self.pages.stream).words
        self._revise(plan, is_stricter=True)

    @property
    def name(self) -> str:
        """Of the stream."""
        return self.plan.name

    @property
    def ingest(self) -> str:
        """Name of the ingest worker."""
        return f"ingest:{self.name}"

    @property
    def output(self) -> str:
        """Name of the output worker."""
        return f"output:{self.name}"

    def open_rings(self, plan: StreamPlan) -> None:
        """Make the memory that the stream needs for ``plan``.

        Raises:
            SharedMemoryFullError: There is no room; nothing is left behind.
            OSError: There are no more descriptors; likewise.
        """
        ways = (
            (RingKind.RAW, self.ingest, (self.inference,)),
            (RingKind.PROCESSED, self.inference, (self.output,)),
            (RingKind.ENCODED, self.output, (CONTROL,)),
            (RingKind.VIDEO, self.output, (CONTROL, self.ingest)),
            (RingKind.AUDIO, self.ingest, (self.output, CONTROL)),
        )
        try:
            self.open_uploads(plan)
            for kind, writer, readers in ways:
                self.rings[kind] = _open_ring(kind, writer, readers)
        except (MemoryError, OSError):
            self.close_rings()
            raise

    def open_uploads(self, plan: StreamPlan) -> bool:
        """Make the ring that ``plan`` needs for uploads; False if there is no need.

        Raises:
            SharedMemoryFullError: There is no room; nothing is left behind.
            OSError: There are no more descriptors; likewise.
        """
        is_needed = plan.takes_uploads and plan.enabled
        if not is_needed or RingKind.UPLOADED in self.rings:
            return False
        ring = _open_ring(RingKind.UPLOADED, CONTROL, (self.ingest,))
        self.rings[RingKind.UPLOADED] = ring
        return True

    def close_uploads(self) -> None:
        """Let go of the ring for uploads where the plan has none."""
        if not self.plan.takes_uploads and RingKind.UPLOADED in self.rings:
            self.rings.pop(RingKind.UPLOADED).close()

    def close_rings(self) -> None:
        """Let go of the memory of the stream."""
        for ring in self.rings.values():
            ring.close()
        self.rings.clear()

    def close(self) -> None:
        """Let go of everything; the stream's workers have ended."""
        self.close_rings()
        for fd in self.demand_fds.values():
            os.close(fd)
        self.pages.free(self._board)

    def change(self, plan: StreamPlan) -> None:
        """Take a new plan; what it guards more holds before this returns.

        Another view guards more too: what its crop leaves out, or its zones cover, lies
        elsewhere in the frames that are still on their way.
        """
        is_new_scene = not is_same_scene(self.plan, plan)
        is_stricter = protects_more(self.plan.effects, plan.effects) or is_new_scene
        self._revise(plan, is_stricter=is_stricter)
        if is_new_scene:
            self.scene = self.revision

    def _revise(self, plan: StreamPlan, *, is_stricter: bool) -> None:
        self.plan = plan
        self.revision += 1
        if is_stricter:
            self.required_revision = self.revision
        self._words[StreamWord.REVISION] = self.revision
        self._words[StreamWord.REQUIRED_REVISION] = self.required_revision

    def messages_for(
        self, worker: str, generation: int, ingest_worker_page: int
    ) -> list[tuple[Message, tuple[int, ...]]]:
        """Return what ``worker`` needs to know of the stream, with descriptors."""
        configure = self.configure_for(worker, ingest_worker_page)
        return [configure, *self.attachments_for(worker, generation)]

    def configure_for(
        self, worker: str, ingest_worker_page: int
    ) -> tuple[Message, tuple[int, ...]]:
        """Return the stream's plan as ``worker`` may know it.

        Only ingest is told the credentials of the source and only output the keys of
        the pushes, and control both by the layout, since it writes the configuration
        file.
        """
        page = {
            self.ingest: self.pages.ingest,
            self.inference: self.pages.inference,
            self.output: self.pages.output,
        }.get(worker, self.pages.demand)
        plan = self.plan
        if worker != self.ingest:
            plan = replace(plan, source=mask_url(plan.source), publish_key="")
        if worker != self.output:
            plan = replace(plan, push=())
        message = ConfigureStream(
            stream=self.name,
            plan=format_plan(plan),
            revision=self.revision,
            required_revision=self.required_revision,
            stage_page=page,
            stream_page=self.pages.stream,
            demand_page=self.pages.demand,
            ingest_page=self.pages.ingest,
            ingest_worker_page=ingest_worker_page,
            inference_page=self.pages.inference,
            output_page=self.pages.output,
            scene=self.scene,
            pushes_page=self.pages.pushes,
        )
        if worker == CONTROL:
            return message, tuple(self.demand_fds.values())
        return message, (self.demand_fds[worker.partition(":")[0]],)

    def attachments_for(
        self, worker: str, generation: int
    ) -> list[tuple[Message, tuple[int, ...]]]:
        """Return the rings of the stream that ``worker`` writes or reads."""
        found: list[tuple[Message, tuple[int, ...]]] = []
        for kind, ring in self.rings.items():
            if ring.writer == worker:
                found.append(_attach_writer(self.name, kind, ring, generation))
            if worker in ring.readers:
                found.append(_attach_reader(self.name, kind, ring, worker))
        return found

    def layout(self) -> StreamLayout:
        """Return where the stream's numbers stand."""
        return StreamLayout(
            name=self.name,
            plan=format_plan(self.plan),
            stream_page=self.pages.stream,
            demand_page=self.pages.demand,
            ingest_page=self.pages.ingest,
            inference_page=self.pages.inference,
            output_page=self.pages.output,
            pushes_page=self.pages.pushes,
            workers=(self.ingest, self.inference, self.output),
        )


def first_spec(kind: RingKind, slot_bytes: int | None = None) -> RingSpec:
    """Return what a ring of ``kind`` begins with."""
    return RingSpec.with_history(
        slot_bytes=slot_bytes or FIRST_SLOT_BYTES[kind],
        readers=_READERS.get(kind, 1),
        history=_HISTORY.get(kind, 0),
    )


def _open_ring(kind: RingKind, writer: str, readers: tuple[str, ...]) -> StreamRing:
    segment = create_segment(first_spec(kind))
    assert segment.spec.readers == len(readers), "so `doctor` reckons"
    wake_fds = tuple(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in readers)
    return StreamRing(segment, map_control(segment), wake_fds, writer, readers)


def _attach_writer(
    stream: str, kind: RingKind, ring: StreamRing, generation: int
) -> tuple[Message, tuple[int, ...]]:
    spec = ring.segment.spec
    message = AttachWriter(
        stream=stream,
        kind=kind.value,
        slots=spec.slots,
        slot_bytes=spec.slot_bytes,
        readers=spec.readers,
        history=spec.history,
        generation=generation,
    )
    return message, (ring.segment.fd, *ring.wake_fds)


def _attach_reader(
    stream: str, kind: RingKind, ring: StreamRing, worker: str
) -> tuple[Message, tuple[int, ...]]:
    spec, place = ring.segment.spec, ring.readers.index(worker)
    message = AttachReader(
        stream=stream,
        kind=kind.value,
        slots=spec.slots,
        slot_bytes=spec.slot_bytes,
        readers=spec.readers,
        history=spec.history,
        place=place,
    )
    return message, (ring.segment.fd, ring.wake_fds[place])
