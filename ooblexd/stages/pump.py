"""The thread of an ingest worker: opens the source and moves its pictures to the ring.

Opening and reading a camera block, for seconds when it is away; the worker's loop must
not, so it only watches the deadline that the pump sets itself.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import NeedSlots, RingKind
from ooblexd.counters import DropReason, SourceState, StageCounters, StageWord
from ooblexd.errors import (
    BadPictureError,
    SourceError,
    SourceUnavailableError,
    SourceWaitingError,
)
from ooblexd.frame import HEADER_BYTES, FrameHeader, Step, i420_bytes
from ooblexd.pixels import Planes, planes_of
from ooblexd.redaction import mask_url
from ooblexd.reminders import Reminders
from ooblexd.sources import InputOptions, Rate, SourceOptions, open_source
from ooblexd.sources.options import MOST_PIXELS
from ooblexd.sources.reconnect import retry_delay_s
from ooblexd.sources.report import B_FRAMES_WARNING
from ooblexd.stages.geometry import Geometry, geometry_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio import AudioPacket
    from ooblexd.plan import StreamPlan
    from ooblexd.sources import Picture, Source
    from ooblexd.sources.options import SourceDescription
    from ooblexd.stages.attachment import WriterEnd
    from ooblexd.stages.context import StageContext
    from ooblexd.stages.door import Door
    from ooblexd.stages.inbox import Inbox
    from ooblexd.stages.publishing import Published

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 3.0
GRACE_S = 3.0  # what a library may need beyond the timeout it was given
_STARTED_S = 20.0
_ASK_AGAIN_S = 10.0  # for memory that was not there

logger = logging.getLogger(__name__)


class Task(NamedTuple):
    """What a pump is to do.

    Attributes:
        plan: Of the stream.
        scene: Number of the source and of its view, as in the frames' headers.
    """

    plan: StreamPlan
    scene: int


class Entrance(NamedTuple):
    """Where pictures arrive that are sent to us; nowhere for most sources.

    Attributes:
        inbox: Of uploads.
        publication: Of who publishes by WebRTC.
        door: Of who publishes otherwise.
    """

    inbox: Inbox | None = None
    publication: Published | None = None
    door: Door | None = None


_NO_ENTRANCE = Entrance()


class Pump(threading.Thread):
    """Opens the source, moves its pictures into the ring, and reconnects for ever.

    Attributes:
        deadline_ns: When the call that it is in must be over.
        has_answered: Whether the source has delivered or failed: it is known.
        failure: A bug; it ends the worker.
        is_unwanted: Asked about each picture: nobody would look at it now.
        on_audio: Told of the source's sound.
    """

    def __init__(
        self,
        task: Task,
        end: WriterEnd,
        counters: StageCounters,
        context: StageContext,
        entrance: Entrance = _NO_ENTRANCE,
    ) -> None:
        super().__init__(name="pump", daemon=True)
        self.deadline_ns = monotonic_ns() + int(_STARTED_S * NS_PER_S)
        self.has_answered = False
        self.failure: BaseException | None = None
        self._end = end
        self._counters = counters
        self._context = context
        self._entrance = entrance
        self._lock = threading.Lock()  # the ring has one writing thread at a time
        self._retired = threading.Event()
        self._asked_bytes = 0
        self._refusal = ""
        self._ask_again_ns = 0
        self.is_unwanted: Callable[[], bool] = lambda: False
        self.on_audio: Callable[[AudioPacket], None] | None = None
        self._held: Picture | None = None
        self._reminders, self._left_out = Reminders(), Reminders()
        self._is_told_up = False
        self._is_warned = False
        self._rate = Rate(on_refused=lambda: self._note_unused(DropReason.RATE))
        self.take(task)

    def take(self, task: Task) -> None:
        """Treat the pictures that follow by ``task``, which has the same source."""
        with self._lock:
            self._plan, self._scene = task
            self._geometry: Geometry = geometry_of(task.plan)
            self._rate.max_fps = task.plan.max_fps

    def retire(self) -> None:
        """Publish nothing more from here on, and end after the call it is in."""
        with self._lock:
            self._retired.set()
            self._let_go()
            self._rate.max_fps = 0.0  # the next picture ends the call

    def attach(self, end: WriterEnd) -> None:
        """Write to ``end`` from here on."""
        with self._lock:
            self._end = end
            self._asked_bytes = 0
            if self._refusal:
                self._refusal = ""
                self._counters.report(SourceState.RUNNING)

    def refuse(self, reason: str) -> None:
        """There is no memory for the frames of this source."""
        with self._lock:
            self._refusal = reason
            self._ask_again_ns = monotonic_ns() + int(_ASK_AGAIN_S * NS_PER_S)
            self._counters.report(SourceState.DOWN, reason)

    def run(self) -> None:
        """Reconnect for ever."""
        attempt = 0
        self._counters.report(SourceState.STARTING)
        try:
            while not self._retired.is_set():
                before_ns = self._last_frame_ns()
                error = self._connect_and_read()
                if error is None:
                    return
                attempt = 1 if self._last_frame_ns() > before_ns else attempt + 1
                self._pause(error, attempt)
        except BaseException as error:  # noqa: BLE001 # handed to the loop, which raises it
            self.failure = error

    def _last_frame_ns(self) -> int:
        return self._counters.value(StageWord.LAST_FRAME_NS)

    def _connect_and_read(self) -> SourceError | None:
        """Read until the source fails, and return why; None once retired."""
        try:
            self._promise(OPEN_TIMEOUT_S)
            options = SourceOptions(
                transport=self._plan.transport,
                open_timeout_s=OPEN_TIMEOUT_S,
                read_timeout_s=READ_TIMEOUT_S,
                rate=self._rate,
                inbox=self._entrance.inbox,
                publication=self._entrance.publication,
                door=self._entrance.door,
                on_progress=lambda: self._promise(READ_TIMEOUT_S),
                input=InputOptions(**asdict(self._plan.input)),
                on_passed_over=lambda: self._note_unused(DropReason.PASSED_OVER),
                on_delay=self._note_delay,
                on_audio=self.on_audio if self._plan.audio != "off" else None,
                on_left_out=self._warn_of_sound,
                is_unwanted=self.is_unwanted,
            )
            source = open_source(self._plan.source, options)
        except SourceError as error:
            return error
        try:
            self._read(source)
        except SourceError as error:
            return error
        finally:
            self._promise(OPEN_TIMEOUT_S)
            source.close()
        return None

    def _read(self, source: Source) -> None:
        while not self._retired.is_set():
            self._promise(READ_TIMEOUT_S)
            try:
                picture = source.read()
            except SourceWaitingError as silence:
                self._report_waiting(silence.reason)
                continue
            except BadPictureError:
                self._note_unused()
                continue
            self._geometry.load()  # for a second, maybe, so not under the lock
            with self._lock:
                if self._retired.is_set():
                    return
                self._take(picture)
            self._tell_up(picture)
            self._warn_of(source.description)
            self.has_answered = True

    def _tell_up(self, picture: Picture) -> None:
        """Say once that the source delivers, until it was said to be down."""
        if self._is_told_up or self._refusal:
            return
        self._is_told_up = True
        logger.info(
            "[stream %s] %s delivers %dx%d",
            self._plan.name,
            mask_url(self._plan.source),
            picture.width,
            picture.height,
        )

    def _warn_of(self, description: SourceDescription) -> None:
        """Warn once of what delays every picture; a file has no viewer to catch up."""
        is_live = description.transport != "local"
        if description.has_b_frames and is_live and not self._is_warned:
            self._is_warned = True
            logger.warning("[stream %s] source: %s", self._plan.name, B_FRAMES_WARNING)

    def _warn_of_sound(self, words: str) -> None:
        """Warn of sound that is left out: once, until it was not for a while."""
        if self._left_out.due(words, monotonic_ns()):
            logger.warning("[stream %s] source: %s", self._plan.name, words)

    def _report_waiting(self, reason: str) -> None:
        with self._lock:
            if not self._retired.is_set() and not self._refusal:
                self._counters.report(SourceState.WAITING, reason)
        if self._entrance.door is not None and self._is_told_up:
            self._is_told_up = False
            logger.info("[stream %s] waiting: %s", self._plan.name, reason)
        self.has_answered = True

    def _note_unused(self, reason: DropReason | None = None) -> None:
        """Count a picture that the source has dropped, or that failed without one."""
        with self._lock:
            if self._retired.is_set():
                return
            self._counters.add(StageWord.FRAMES_IN)
            if reason is None:
                self._counters.add(StageWord.FAILED)
            else:
                self._counters.drop(reason)
        self._promise(READ_TIMEOUT_S)

    def _note_delay(self, reason: str) -> None:
        """Say why there is no picture yet of a source that is still being opened."""
        with self._lock:
            if not self._retired.is_set():
                self._counters.report(SourceState.DOWN, reason)
        self.has_answered = True

    def _take(self, picture: Picture) -> None:
        """Publish one picture, or count why not."""
        counters = self._counters
        counters.add(StageWord.FRAMES_IN)
        if picture.width * picture.height > MOST_PIXELS:
            raise SourceUnavailableError(
                f"pictures of {picture.width}x{picture.height} are too large, "
                f"at most {MOST_PIXELS // 1_000_000} megapixels"
            )
        size = self._geometry.size_of(picture.width, picture.height)
        self._let_go()
        if self.is_unwanted():
            # Decoded and copied only if somebody comes before the next.
            self._held = picture
            self._note_delivery(size)
        else:
            self._send(picture, size)

    def send_held(self) -> None:
        """Publish the picture that nobody wanted when it came; somebody does now."""
        with self._lock:
            held, self._held = self._held, None
            if held is not None:
                self._send(held, self._geometry.size_of(held.width, held.height))

    def _let_go(self) -> None:
        if self._held is not None:
            self._held = None
            self._counters.drop(DropReason.IDLE)

    def _note_delivery(self, size: tuple[int, int]) -> None:
        counters = self._counters
        counters.set(StageWord.LAST_FRAME_NS, monotonic_ns())
        counters.set(StageWord.WIDTH, size[0])
        counters.set(StageWord.HEIGHT, size[1])
        if counters.value(StageWord.STATE) != SourceState.RUNNING and not self._refusal:
            counters.report(SourceState.RUNNING)

    def _send(self, picture: Picture, size: tuple[int, int]) -> None:
        counters = self._counters
        slot_bytes = HEADER_BYTES + i420_bytes(*size)
        if slot_bytes > self._end.slot_bytes or self._asked_bytes:
            counters.drop(DropReason.NO_ROOM)
            self._ask_for(slot_bytes)
            return
        try:
            self._publish(picture, size)
        except BadPictureError:
            counters.add(StageWord.FAILED)

    def _publish(self, picture: Picture, size: tuple[int, int]) -> None:
        ring, counters = self._end.ring, self._counters
        loan = ring.loan()
        width, height = size
        self._place(picture, planes_of(loan.memory, width, height, HEADER_BYTES))
        now_ns = monotonic_ns()
        header = FrameHeader(
            sequence=ring.sequence + 1,
            generation=ring.generation,
            width=width,
            height=height,
            payload_bytes=i420_bytes(width, height),
            full_range=picture.full_range,
            matrix=picture.matrix,
            pts_ns=picture.pts_ns,
            capture_ns=picture.capture_ns,
            scene=self._scene,
        ).stamped(Step.DECODED, picture.decoded_ns)
        header.stamped(Step.INGESTED, now_ns).pack_into(loan.memory)
        ring.publish(loan)
        counters.add(StageWord.FRAMES_OUT)
        counters.observe(StageWord.AGE, now_ns - picture.capture_ns)
        counters.observe(StageWord.DURATION, now_ns - picture.decoded_ns)
        self._note_delivery(size)

    def _place(self, picture: Picture, slot: Planes) -> None:
        if self._geometry.changes_nothing:
            picture.copy_to(slot)
        else:
            self._geometry.place(picture.planes(), slot)

    def _ask_for(self, slot_bytes: int) -> None:
        is_time = monotonic_ns() >= self._ask_again_ns
        if slot_bytes <= self._asked_bytes and not is_time:
            return
        self._asked_bytes = slot_bytes
        self._ask_again_ns = monotonic_ns() + int(_ASK_AGAIN_S * NS_PER_S)
        need = NeedSlots(self._plan.name, RingKind.RAW.value, slot_bytes)
        self._context.send(need)

    def _pause(self, error: SourceError, attempt: int) -> None:
        jitter = random.random()  # noqa: S311 # it spreads retries, it guards nothing
        delay_s = retry_delay_s(error, attempt, jitter)
        if times := self._reminders.due(error.reason, monotonic_ns()):
            self._is_told_up = False
            logger.warning(
                "[stream %s] source down: %s%s; trying again for ever",
                self._plan.name,
                error.reason,
                f" ({times} times)" if times > 1 else "",
            )
        with self._lock:
            self._let_go()
            if not self._retired.is_set():
                self._counters.report(SourceState.DOWN, error.reason)
        self.has_answered = True
        self._promise(delay_s)
        self._retired.wait(delay_s)

    def _promise(self, within_s: float) -> None:
        self.deadline_ns = monotonic_ns() + int((within_s + GRACE_S) * NS_PER_S)
