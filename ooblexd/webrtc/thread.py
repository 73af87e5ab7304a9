"""The thread in which the sessions of a stream live, and the way in and out of it.

The worker has a loop of its own, which waits for nobody's network, nor for the library,
which takes half a second to load and more on a small box. What goes in are signals and
pictures; what comes out are answers, which are read at leisure. An eventfd tells that
there is something.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import uvloop

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.signalling import Signalled
from ooblexd.webrtc.exchange import Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio import AudioPacket
    from ooblexd.encoders.video import VideoCodec
    from ooblexd.frame import FrameHeader
    from ooblexd.signalling import Signal
    from ooblexd.webrtc.exchange import EncodedUnit, Reception, Return
    from ooblexd.webrtc.peers import Peers
    from ooblexd.webrtc.publishers import Publishers

logger = logging.getLogger(__name__)

_BEAT_S = 0.5
_OVERDUE_NS = 5 * NS_PER_S
_CLOSE_WITHIN_S = 1.0


class Sessions(Protocol):
    """All sessions of one kind, in one event loop."""

    async def obey(self, signal: Signal) -> Signalled:
        """Do what a peer asks for, and return what it is to be told."""

    async def close(self) -> None:
        """End all of them."""


AnySessions = TypeVar("AnySessions", bound=Sessions)


class SessionThread(Generic[AnySessions]):
    """Runs the sessions of one stream until closed.

    Args:
        build: Makes them, in that thread, once the library is loaded.

    Attributes:
        wake_fd: Readable once there are answers, or somebody has called `wake`.
    """

    def __init__(
        self, build: Callable[[SessionThread[AnySessions]], AnySessions]
    ) -> None:
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._build = build
        self._answers: deque[Signalled] = deque()
        self._loop = uvloop.new_event_loop()
        self._sessions: AnySessions | None = None
        self._tasks: set[asyncio.Task[Signalled]] = set()
        self._beat_ns = 0  # 0: it has not begun
        self._thread = threading.Thread(target=self._run, name="webrtc", daemon=True)
        self._thread.start()

    @property
    def is_hung(self) -> bool:
        """Whether nothing moves in the thread any more."""
        return 0 < self._beat_ns < monotonic_ns() - _OVERDUE_NS

    def obey(self, signal: Signal) -> None:
        """Have a signal answered; the answer comes by `answers`."""
        self._loop.call_soon_threadsafe(self._begin, signal)

    def call(self, act: Callable[[AnySessions], None]) -> None:
        """Have something done with the sessions, in their thread."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._act, act)

    def answers(self) -> list[Signalled]:
        """Return what is to be said, each answer once, and take the wake-ups."""
        with suppress(BlockingIOError):  # none came
            os.eventfd_read(self.wake_fd)
        found = []
        while self._answers:
            found.append(self._answers.popleft())
        return found

    def wake(self) -> None:
        """Make `wake_fd` readable."""
        with suppress(BlockingIOError):  # it is full of wake-ups already
            os.eventfd_write(self.wake_fd, 1)

    def close(self) -> None:
        """End all connections and the thread."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2 * _CLOSE_WITHIN_S)
        os.close(self.wake_fd)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        sessions = self._sessions = self._build(self)
        self._beat()
        self._loop.run_forever()
        with suppress(asyncio.TimeoutError):
            ending = asyncio.wait_for(sessions.close(), _CLOSE_WITHIN_S)
            self._loop.run_until_complete(ending)
        self._loop.close()

    def _beat(self) -> None:
        self._beat_ns = monotonic_ns()
        self._loop.call_later(_BEAT_S, self._beat)

    def _begin(self, signal: Signal) -> None:
        assert self._sessions is not None, "made before the loop runs"
        task = self._loop.create_task(self._sessions.obey(signal))
        self._tasks.add(task)
        task.add_done_callback(partial(self._answer, signal))

    def _answer(self, signal: Signal, task: asyncio.Task[Signalled]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._answers.append(task.result())
        else:
            logger.error("a signal cannot be answered", exc_info=error)
            detail = "the daemon made a mistake; its log has it"
            self._answers.append(Signalled(signal.request, detail, 500))
        self.wake()

    def _act(self, act: Callable[[AnySessions], None]) -> None:
        assert self._sessions is not None, "made before the loop runs"
        act(self._sessions)


class PeersThread:
    """Those who watch a stream, in a thread of their own.

    Args:
        may_show: Called in that thread: says whether a picture may be sent now.
        may_hear: Likewise whether sound may.

    Attributes:
        wishes: What the viewers want together; the thread wakes when it changes.
        sessions: The thread.
    """

    def __init__(
        self,
        may_show: Callable[[FrameHeader], bool],
        may_hear: Callable[[AudioPacket], bool],
    ) -> None:
        self.wishes = Wishes()
        self._may_show = may_show
        self._may_hear = may_hear
        self.sessions = SessionThread(self._build)

    def deliver(self, codec: VideoCodec, unit: EncodedUnit) -> None:
        """Have a picture sent to all who decode ``codec``."""
        self.sessions.call(lambda peers: peers.deliver(codec, unit))

    def hear(self, packet: AudioPacket) -> None:
        """Have sound sent to all who listen."""
        self.sessions.call(lambda peers: peers.hear(packet))

    def _build(self, thread: SessionThread[Peers]) -> Peers:
        from ooblexd.webrtc.peers import Peers  # noqa: PLC0415 # 40 MB, half a second

        return Peers(self.wishes, self._may_show, self._may_hear, thread.wake)


def start_publishers(
    stream: str,
    reception: Reception,
    to_publisher: Return,
) -> SessionThread[Publishers]:
    """Have a thread for those who publish to a stream.

    Args:
        stream: Its name, for the log.
        reception: Where what they send goes.
        to_publisher: What goes back.
    """

    def build(thread: SessionThread[Publishers]) -> Publishers:
        from ooblexd.webrtc.publishers import Publishers  # noqa: PLC0415 # as above

        return Publishers(stream, reception, to_publisher, thread.wake)

    return SessionThread(build)
