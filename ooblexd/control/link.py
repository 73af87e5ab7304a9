"""The way to the supervisor and back: changes are asked for, news handed on."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Protocol

from ooblexd.clock import monotonic_ns
from ooblexd.commands import (
    Admit,
    Applied,
    ApplyPlans,
    AttachReader,
    AttachWriter,
    ConfigStatus,
    ConfigureStream,
    ForgetStream,
    LayoutChanged,
    Listen,
    ListenNoMore,
    Message,
    Ready,
    SlotsRefused,
    receive,
    send,
)
from ooblexd.control.problems import ProblemError
from ooblexd.layout import parse_layout
from ooblexd.signalling import PeerWish, Signal, Signalled

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ooblexd.control.configuration import Configuration
    from ooblexd.control.drafts import Draft
    from ooblexd.layout import Layout
    from ooblexd.signalling import SessionKind, SignalVerb

ANSWER_WITHIN_S = 10.0
SIGNALLED_WITHIN_S = 10.0
_RETRY_AFTER_S = 5


class Subscriber(Protocol):
    """Who wants to know what the supervisor says."""

    def layout_changed(self, layout: Layout) -> None:
        """Take where all pages are."""

    def attach(self, message: AttachReader, segment: int, wake: int) -> None:
        """Take an encoded ring; both descriptors are the subscriber's now."""

    def attach_uploads(self, message: AttachWriter, fds: list[int]) -> None:
        """Take a ring to write; the descriptors are the subscriber's now."""

    def refuse_uploads(self, message: SlotsRefused) -> None:
        """Take that there is no memory for larger uploads."""

    def set_demand(self, stream: str, wakes: list[int]) -> None:
        """Take the eventfds that wake a stream's workers; the subscriber's now."""

    def forget(self, stream: str) -> None:
        """Close all that belongs to a stream."""


class Entrances(Protocol):
    """Who lets publishers in."""

    def take(self, message: Listen | ListenNoMore, fds: list[int]) -> None:
        """Open or close an entrance; its socket, in ``fds``, is the entrances' own."""


class Link:
    """Control's end of the command sockets, read by the event loop.

    Args:
        end: Non-blocking.
        subscriber: Receives everything but answers and the state of the configuration.
        configuration: Receives that.
        on_closed: Called once when the supervisor has gone.
        on_spent: Called once when there is no memory to hear it with.

    Attributes:
        on_peer_wish: Called with what a viewer asks for by its data channel.
        entrances: Receives the sockets on which others publish; set before `start`.
    """

    def __init__(
        self,
        end: socket.socket,
        subscriber: Subscriber,
        configuration: Configuration,
        on_closed: Callable[[], None],
        on_spent: Callable[[], None],
    ) -> None:
        self._end = end
        self._subscriber = subscriber
        self._configuration = configuration
        self.entrances: Entrances | None = None
        self._on_closed = on_closed
        self._on_spent = on_spent
        # An answer to a former life of control must not be taken for one of ours.
        self._requests = monotonic_ns()
        self.on_peer_wish: Callable[[PeerWish], None] = lambda _: None
        self._answers: dict[int, asyncio.Future[Applied | Signalled]] = {}

    def start(self) -> None:
        """Begin to read, in the running loop."""
        asyncio.get_running_loop().add_reader(self._end.fileno(), self._read_all)

    def stop(self) -> None:
        """End reading; who still waits for an answer gets none."""
        self._read_no_more()
        for answer in self._answers.values():
            answer.cancel()

    def announce(self) -> None:
        """Tell the supervisor that control serves."""
        send(self._end, Ready())

    def admit(self, publisher: Admit, connection: int) -> None:
        """Hand a connection to the worker of a stream.

        Raises:
            OSError: The supervisor does not read.
        """
        send(self._end, publisher, (connection,))

    async def apply(self, draft: Draft) -> None:
        """Have what ``draft`` says run, and its file put in place.

        Raises:
            ProblemError: 507 with the numbers where shared memory is too small, 409
                where the supervisor refuses, 503 where the system gives no more, or
                nobody answers.
        """
        file = draft.prepared
        wish = ApplyPlans(
            self._number(), draft.plans, draft.daemon, file.former, file.after
        )
        try:
            applied = await self._ask(wish, ANSWER_WITHIN_S)
        except (OSError, asyncio.TimeoutError) as exc:
            detail = "the supervisor does not answer; read again what has become of it"
            raise ProblemError(503, detail) from exc
        assert isinstance(applied, Applied)
        _raise_refusal(applied)

    async def signal(  # noqa: PLR0913 # all but two by name
        self,
        stream: str,
        verb: SignalVerb,
        *,
        kind: SessionKind,
        peer: str = "",
        body: str = "",
        settings: str = "",
    ) -> Signalled:
        """Have a peer of a stream answered by the worker that has its connection.

        Raises:
            ProblemError: Why it cannot be, as the worker says; 503 where none answers.
        """
        number = self._number()
        signal = Signal(number, stream, verb.value, peer, body, kind.value, settings)
        try:
            signalled = await self._ask(signal, SIGNALLED_WITHIN_S)
        except (OSError, asyncio.TimeoutError) as exc:
            raise ProblemError(503, f"{stream} does not answer; try again") from exc
        assert isinstance(signalled, Signalled)
        if signalled.error:
            raise ProblemError(signalled.status, signalled.error)
        return signalled

    def _number(self) -> int:
        self._requests += 1
        return self._requests

    async def _ask(
        self, question: ApplyPlans | Signal, within_s: float
    ) -> Applied | Signalled:
        """Return the answer.

        Raises:
            OSError: It cannot be asked.
            asyncio.TimeoutError: No answer came.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Applied | Signalled] = loop.create_future()
        self._answers[question.request] = answer
        try:
            send(self._end, question)
            return await asyncio.wait_for(answer, within_s)
        finally:
            del self._answers[question.request]

    def _read_all(self) -> None:
        while True:
            try:
                received = receive(self._end)
            except BlockingIOError:
                return
            except ConnectionError:
                received = None
            except MemoryError:
                self._read_no_more()
                self._on_spent()
                return
            if received is None:
                self._read_no_more()
                self._on_closed()
                return
            self._take(*received)

    def _read_no_more(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end.fileno())

    def _take(self, message: Message, fds: list[int]) -> None:
        if self._has_taken(message, fds):
            return
        match message:
            case LayoutChanged():
                self._subscriber.layout_changed(parse_layout(message.layout))
            case ConfigStatus():
                self._configuration.take(message)
            case SlotsRefused():
                self._subscriber.refuse_uploads(message)
            case ForgetStream():
                self._subscriber.forget(message.stream)
            case Applied() | Signalled() | PeerWish():
                self._settle(message)
            case _:
                pass  # said to other workers only
        for fd in fds:
            os.close(fd)

    def _has_taken(self, message: Message, fds: list[int]) -> bool:
        """Hand a message on together with its descriptors, if they matter."""
        match message:
            case AttachReader() if len(fds) == 2:  # noqa: PLR2004 # segment, eventfd
                self._subscriber.attach(message, fds[0], fds[1])
            case AttachWriter():
                self._subscriber.attach_uploads(message, fds)
            case ConfigureStream():
                self._subscriber.set_demand(message.stream, fds)
            case Listen() | ListenNoMore() if self.entrances is not None:
                self.entrances.take(message, fds)
            case _:
                return False
        return True

    def _settle(self, message: Applied | Signalled | PeerWish) -> None:
        if isinstance(message, PeerWish):
            self.on_peer_wish(message)
            return
        answer = self._answers.get(message.request)
        if answer is not None and not answer.done():
            answer.set_result(message)


def _raise_refusal(applied: Applied) -> None:
    if applied.needed_bytes:
        raise ProblemError(
            507,
            applied.error,
            needed_bytes=applied.needed_bytes,
            free_bytes=applied.free_bytes,
        )
    if applied.is_lack:
        lack = ProblemError(503, applied.error)
        lack.retry_after_s = _RETRY_AFTER_S
        raise lack
    if applied.error:
        raise ProblemError(409, applied.error)
