"""Step 0, for streams that others publish: who knocks is heard.

At the door where streams are played too, who wants that goes to `Players`.

A publisher says what it wants in less than a second, and then its connection goes to
the ingest worker of its stream: no video passes here. Those who have not said it yet
are few, and the newest: a crowd costs whoever came first its place, never memory, and
so few are let in a second that viewers notice nothing of it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import Admit
from ooblexd.control.intake import RateLimit
from ooblexd.errors import PublisherError
from ooblexd.heartbeat import WorkerState
from ooblexd.plan import Place
from ooblexd.publishing import Refusal, open_session
from ooblexd.publishing.rtsp import RtspSession
from ooblexd.reminders import Reminders

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from ooblexd.commands import Listen, ListenNoMore
    from ooblexd.control.rtsp_playing import Players
    from ooblexd.control.streams import Streams
    from ooblexd.publishing import Session, Wish

HEARD_WITHIN_S = 10.0
MOST_GUESTS = 64
MOST_SAID_BYTES = 1 << 15
_APART_S = 0.005  # between two who are let in
_WRONG_KEY_S = 1.0  # who guesses keys has time
_CHANGES_HZ = 2.0  # of the publisher of one stream
_TURN_WITHIN_S = 2.0
_AGAIN_S = 1.0
_STARTS_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.1
_CHUNK_BYTES = 4096

logger = logging.getLogger(__name__)


class _Entrance(NamedTuple):
    listener: socket.socket
    scope: anyio.CancelScope


class Reception:
    """Where publishers come in.

    Args:
        streams: What may be published.
        hand_over: Gives a connection, by its descriptor, to the worker of a stream.
        players: Take who wants to play.
    """

    def __init__(
        self,
        streams: Streams,
        hand_over: Callable[[Admit, int], None],
        players: Players,
    ) -> None:
        self._streams = streams
        self._players = players
        self._hand_over = hand_over
        self._tasks: TaskGroup | None = None
        self._entrances: dict[Place, _Entrance] = {}
        self._guests: dict[socket.socket, anyio.CancelScope] = {}
        self._limits: dict[str, RateLimit] = {}
        self._reminders = Reminders()

    async def serve(self) -> None:
        """Let publishers in until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            for place, entrance in self._entrances.items():
                self._tasks.start_soon(self._let_in, place, entrance)
            await anyio.sleep_forever()

    def take(self, message: Listen | ListenNoMore, fds: list[int]) -> None:
        """Let publishers in by the listening socket ``fds``, or no more."""
        place = Place(message.protocol, message.host, message.port)
        former = self._entrances.pop(place, None)
        if former is not None:
            former.scope.cancel()
            if self._tasks is None:
                former.listener.close()
        if fds:
            entrance = _Entrance(socket.socket(fileno=fds[0]), anyio.CancelScope())
            self._entrances[place] = entrance
            if self._tasks is not None:
                self._tasks.start_soon(self._let_in, place, entrance)

    async def _let_in(self, place: Place, entrance: _Entrance) -> None:
        listener = entrance.listener
        loop = asyncio.get_running_loop()
        assert self._tasks is not None
        with listener, entrance.scope:
            while True:
                try:
                    connection, address = await loop.sock_accept(listener)
                except OSError:  # no descriptor left, most likely
                    await anyio.sleep(_AGAIN_S)
                    continue
                peer = f"{address[0]}:{address[1]}"
                if len(self._guests) >= MOST_GUESTS:
                    next(iter(self._guests.values())).cancel()
                self._guests[connection] = scope = anyio.CancelScope()
                self._tasks.start_soon(self._hear, place, connection, peer, scope)
                await anyio.sleep(_APART_S)

    async def _hear(
        self,
        place: Place,
        connection: socket.socket,
        peer: str,
        scope: anyio.CancelScope,
    ) -> None:
        """Hear a publisher until it has said what it wants, and do that."""
        try:
            with connection, scope, anyio.move_on_after(HEARD_WITHIN_S):
                talk = partial(self._talk, place, connection, peer)
                await self._hold(place, peer, talk)
        finally:
            self._guests.pop(connection, None)

    async def _hold(
        self, place: Place, peer: str, talk: Callable[[], Awaitable[None]]
    ) -> None:
        """Hold a session, whose end is the end of nothing else."""
        try:
            await talk()
        except PublisherError as error:
            self._log(f"{place}:", peer, f"sent {error}", "nonsense")
        except OSError as error:
            logger.debug("%s: %s has gone: %s", place, peer, error)
        except Exception:  # the end of a session: what is wrong with it stays in it
            logger.exception("%s: %s: this is a bug", place, peer)

    async def _talk(self, place: Place, connection: socket.socket, peer: str) -> None:
        serves_players = place == self._players.place
        session = open_session(place.protocol, serves_players=serves_players)
        transcript, refusals = bytearray(), 0
        while await _listen(session, connection, transcript):
            assert session.wish is not None
            if isinstance(session, RtspSession) and session.wish.is_to_play:
                self._let_play(session, connection, place, peer)
                return
            name, refusal = self._judge(place, session.wish)
            if refusal is None and not await self._is_up(name):
                refusal = Refusal(f"{name} is just starting; try again")
            if refusal is None:
                said = base64.b64encode(transcript).decode()
                refusal = await self._admit(
                    Admit(name, peer, said, refusals), connection
                )
                if refusal is None:
                    return
            who = f"[stream {name}]" if name else f"{place}:"
            kind = refusal.reason if name else "unknown"
            is_question = refusal.is_of_key and not session.wish.token
            if place.protocol != "rtsp" or not is_question:  # where it is how one asks
                self._log(who, peer, f"may not publish: {refusal.reason}", kind)
            await _refuse(session, connection, refusal)
            refusals += 1

    def _let_play(
        self, session: RtspSession, connection: socket.socket, place: Place, peer: str
    ) -> None:
        """Give the connection to the players: it is none of ours any more."""
        assert self._tasks is not None
        theirs = socket.socket(fileno=connection.detach())
        talk = partial(self._players.serve, *session.hand_over(), theirs)
        self._tasks.start_soon(self._hold, place, peer, talk)

    def _judge(self, place: Place, wish: Wish) -> tuple[str, Refusal | None]:
        """Return the stream that is meant, and why not."""
        name = self._find(place, wish.path)
        if not name:
            return "", Refusal(f"there is no stream {wish.path} here")
        if not self._streams.plan(name).admits(wish.token):
            how = "is wrong" if wish.token else "is missing"
            # In angle brackets, which the log leaves: it tells no key.
            reason = (
                f"the publish_key {how}: the stream key is NAME?token=<publish_key>"
            )
            return name, Refusal(reason, is_of_key=True)
        return name, None

    async def _is_up(self, name: str) -> bool:
        """Wait for the worker of a stream; encoders do not try again by themselves."""
        with anyio.move_on_after(_STARTS_WITHIN_S):
            while True:
                for worker in self._streams.workers((f"ingest:{name}",)):
                    if worker.state == WorkerState.UP:
                        return True
                await anyio.sleep(_LOOK_AGAIN_S)
        return False

    def _find(self, place: Place, path: str) -> str:
        """Return the stream whose name ends ``path``, the longest of several."""
        found = {}
        for name in self._streams.enabled:
            listening = self._streams.plan(name).listening
            if listening is None or listening.place != place:
                continue
            if f"/{path}".endswith(f"/{listening.path}"):
                found[len(listening.path)] = name
        return found[max(found)] if found else ""

    async def _admit(
        self, admission: Admit, connection: socket.socket
    ) -> Refusal | None:
        name = admission.stream
        if not await self._has_turn(name):
            return Refusal(f"{name} changes its publisher too often; try again")
        try:
            self._hand_over(admission, connection.fileno())
        except OSError:  # the supervisor does not read
            return Refusal("the daemon is too busy; try again")
        logger.info("[stream %s] %s publishes", name, admission.peer)
        return None

    async def _has_turn(self, name: str) -> bool:
        """Wait for a turn of a stream: whoever begins anew comes at once, and once."""
        limit = self._limits.setdefault(name, RateLimit())
        with anyio.move_on_after(_TURN_WITHIN_S):
            while True:
                wait_ns = limit.wait_ns(_CHANGES_HZ, monotonic_ns())
                if not wait_ns:
                    return True
                await anyio.sleep(wait_ns / NS_PER_S)
        return False

    def _log(self, who: str, peer: str, what: str, kind: str) -> None:
        """Log what a peer did wrong, but not each time: it may never stop."""
        if times := self._reminders.due(f"{who} {kind}", monotonic_ns()):
            more = f" ({times} times, by this one or others)" if times > 1 else ""
            logger.warning("%s %s %s%s", who, peer, what, more)


async def _listen(
    session: Session, connection: socket.socket, transcript: bytearray
) -> bool:
    """Talk to a publisher until it has said what it wants; False if it leaves."""
    loop = asyncio.get_running_loop()
    while True:
        data = await loop.sock_recv(connection, _CHUNK_BYTES)
        if not data:
            return False
        transcript += data
        if len(transcript) > MOST_SAID_BYTES:
            raise PublisherError("much, and not what it wants")
        session.receive(data)
        await loop.sock_sendall(connection, session.take_output())
        if session.wish is not None:
            return True


async def _refuse(
    session: Session, connection: socket.socket, refusal: Refusal
) -> None:
    """Say why not; the connection stays until the publisher has read it."""
    assert session.wish is not None
    if refusal.is_of_key and session.wish.token:
        await anyio.sleep(_WRONG_KEY_S)
    session.refuse(refusal)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, session.take_output())
