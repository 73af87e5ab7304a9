"""One push: connect, send, and try again for ever, in a thread of its own."""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.counters import PushState
from ooblexd.encoders.video import VideoCodec
from ooblexd.errors import PushError
from ooblexd.frame import Verdict
from ooblexd.pushes import open_destination
from ooblexd.pushes.backlog import Backlog
from ooblexd.pushes.reconnect import WORKED_NS, retry_delay_s, state_after
from ooblexd.pushes.sound import PushedSound
from ooblexd.pushes.url import sound_of
from ooblexd.reminders import Reminders
from ooblexd.webrtc.exchange import Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio import AudioPacket
    from ooblexd.frame import FrameHeader
    from ooblexd.plan import PushPlan
    from ooblexd.pushes import Destination
    from ooblexd.webrtc.exchange import EncodedUnit

logger = logging.getLogger(__name__)

_LOOK_S = 0.25
_SLATE_AFTER_NS = 5 * NS_PER_S
_PROVEN_NS = NS_PER_S  # servers refuse a key when they already take pictures


class PushStatus(NamedTuple):
    """How a push is.

    Attributes:
        state: What it does.
        since_ns: Since when, monotonic time.
        reason: Why, where that is not plain.
        sent: Pictures.
        dropped: Pictures that it was too slow for, or that might not be shown then.
    """

    state: PushState
    since_ns: int
    reason: str
    sent: int
    dropped: int


class PushGate(NamedTuple):
    """Decides at the last moment what a push may send.

    Attributes:
        may_show: Says so of a picture.
        may_hear: Says so of sound.
    """

    may_show: Callable[[FrameHeader], bool]
    may_hear: Callable[[AudioPacket], bool]


class Push:
    """Sends the pictures of a stream to one place until it is ended.

    It begins with a live picture where one comes within five seconds: a broadcast need
    not start with a slate, and in another size at that.

    Args:
        plan: Where to.
        name: How it is called in the log.
        gate: Says whether a picture, or sound, may be sent at this very moment;
            called in this push's thread, or one of its own.

    Attributes:
        wishes: What it wants of the encoder.
        may_show: Of the gate.
        sound: What goes along with the pictures.
        is_wanting: Whether pictures would go somewhere now.
    """

    def __init__(self, plan: PushPlan, name: str, gate: PushGate) -> None:
        self.wishes = Wishes()
        self.may_show = gate.may_show
        self.sound = PushedSound(sound_of(plan), gate.may_hear)
        self._plan = plan
        self._name = name
        self._ending = threading.Event()
        self._backlog = Backlog(gate.may_show, self._want_keyframe)
        self._state, self._since_ns = PushState.CONNECTING, monotonic_ns()
        self._reason = ""
        self._sent = 0
        self.is_wanting = False
        self._began_ns = monotonic_ns()
        self._attempt = 0
        self._reminders = Reminders()
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)
        self._thread.start()

    @property
    def is_ending(self) -> bool:
        """Whether the push is over."""
        return self._ending.is_set()

    @property
    def status(self) -> PushStatus:
        """How it is now."""
        if not self._thread.is_alive() and not self.is_ending:
            reason = "the daemon made a mistake; its log has it"
            state = PushState.FAILED
            return PushStatus(state, self._since_ns, reason, self._sent, 0)
        return PushStatus(
            self._state,
            self._since_ns,
            self._reason,
            self._sent,
            self._backlog.dropped,
        )

    def offer(self, unit: EncodedUnit) -> None:
        """Have a picture sent, if this push keeps up."""
        self._backlog.put(unit, monotonic_ns())

    def end(self) -> None:
        """Have it end; returns at once."""
        self._ending.set()
        self._backlog.shut()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended, but not for long."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._connect_and_send()
            except PushError as error:
                if not self._ending.is_set():
                    self._tell(error)

    def _connect_and_send(self) -> None:
        """Send until the size changes, where that needs another connection."""
        if self._state is not PushState.RUNNING:
            self._set(PushState.CONNECTING, self._reason)
        self.is_wanting = True
        self._backlog.open(is_counting=False)
        destination: Destination | None = None
        try:
            first = self._first()
            if first is None:
                return
            self._backlog.shut()  # what comes until it is connected is no loss
            destination = open_destination(self._plan, first, self)
            self._backlog.open()
            self._send(destination, first)
        finally:
            self.is_wanting = False
            self._backlog.shut()
            if destination is not None:
                destination.close()

    def _first(self) -> EncodedUnit | None:
        """Return the picture to connect with; None if it is over before one came."""
        while not self.is_ending:
            unit = self._backlog.take(_LOOK_S)
            if unit is None:
                self._want_keyframe()
                continue
            is_early = monotonic_ns() - self._began_ns < _SLATE_AFTER_NS
            if unit.header.verdict is not Verdict.SLATE or not is_early or self._sent:
                return unit
            self._backlog.open(is_counting=False)
        return None

    def _send(self, destination: Destination, first: EncodedUnit) -> None:
        size, connected_ns = _size_of(first), monotonic_ns()
        while not self.is_ending:
            unit = self._backlog.take(_LOOK_S)
            if unit is None:
                continue
            if _size_of(unit) != size and not destination.follows_size:
                logger.info("push to %s: begins anew, the size has changed", self._name)
                return
            shape = self.sound.shape
            if shape is not None and destination.lacks(shape):
                logger.info("push to %s: begins anew, there is sound now", self._name)
                return
            destination.write(unit)
            self._sent += 1
            open_ns = monotonic_ns() - connected_ns
            if open_ns > _PROVEN_NS:
                self._set(PushState.RUNNING)
            if open_ns > WORKED_NS:
                self._attempt = 0

    def _tell(self, error: PushError) -> None:
        """Note why it does not get through, and wait until it is tried again."""
        self._attempt += 1
        now_ns = monotonic_ns()
        delay_s = retry_delay_s(error, self._attempt, random.random())  # noqa: S311 # no secret
        self._set(state_after(error, self._attempt), error.reason)
        if count := self._reminders.due(error.reason, now_ns):
            times = f" ({count} times by now)" if count > 1 else ""
            logger.warning(
                "push to %s: %s%s; tried again in %.0f s",
                self._name,
                error.reason,
                times,
                delay_s,
            )
        self._ending.wait(delay_s)

    def _set(self, state: PushState, reason: str = "") -> None:
        if state is PushState.RUNNING and self._state is not state:
            logger.info("push to %s: it runs", self._name)
        if state is not self._state:
            self._since_ns = monotonic_ns()
        self._state, self._reason = state, reason

    def _want_keyframe(self) -> None:
        self.wishes.want_keyframe(VideoCodec.H264)


def _size_of(unit: EncodedUnit) -> tuple[int, int]:
    return unit.header.width & ~1, unit.header.height & ~1
