"""Our addresses for a viewer: our own, and those that STUN and TURN servers give us.

aioice 0.10 to 0.13 ask one server of each kind, wait five seconds for whoever does not
answer, for every connection anew, and bind any port. Here each server is asked for half
a second, all at once; one that has not answered is left alone for a minute, which the
log says once. Our own addresses go out whatever becomes of that.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aioice import Candidate, stun, turn
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, get_host_addresses

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.ice import IceSettings, parse_address

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from aioice import Connection
    from aiortc import RTCPeerConnection

    from ooblexd.ice import IceAddress, IceServer

logger = logging.getLogger(__name__)

ANSWER_WITHIN_S = 0.5
ASK_AGAIN_NS = 60 * NS_PER_S
_COMPONENT = 1  # RTP and RTCP share a port
_PRIVATE_NAMES = (
    *("_local_candidates", "_local_candidates_start", "_local_candidates_end"),
    "_protocols",
)
_SILENCE = f"no answer within {ANSWER_WITHIN_S:g} s"


@dataclass(slots=True)
class Failures:
    """Servers that did not answer, and since when; one for all peers of a stream.

    Attributes:
        at_ns: Monotonic time by the server's address.
    """

    at_ns: dict[str, int] = field(default_factory=dict)

    def are_recent(self, url: str) -> bool:
        """Say whether a server is to be left alone."""
        at_ns = self.at_ns.get(url)
        return at_ns is not None and monotonic_ns() - at_ns < ASK_AGAIN_NS

    def note(self, url: str, why: str) -> None:
        """Take that a server failed; the first time it is logged."""
        if url not in self.at_ns:
            logger.warning(
                "%s cannot be used: %s; viewers in other networks may not connect, "
                "see /api/v1/webrtc/diagnose",
                url,
                why,
            )
        self.at_ns[url] = monotonic_ns()

    def forget(self, url: str) -> None:
        """Take that a server has answered."""
        if self.at_ns.pop(url, None) is not None:
            logger.info("%s can be used again", url)


class Gathering:
    """What a connection gathers.

    Args:
        connection: Its candidates; they are added here.
        settings: Where to ask, and which ports to use.
        failures: Of the servers.
    """

    def __init__(
        self, connection: Connection, settings: IceSettings, failures: Failures
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._failures = failures
        self._hosts: list[StunProtocol] = []
        self._found: list[Candidate] = []

    async def run(self) -> None:
        """Gather once, in hardly more than `ANSWER_WITHIN_S`."""
        connection = self._connection
        if connection._local_candidates_start:  # noqa: SLF001 # see the module
            return
        connection._local_candidates_start = True  # noqa: SLF001 # likewise
        for address in get_host_addresses(use_ipv4=True, use_ipv6=True):
            await self._bind(address)
        await asyncio.gather(*self._questions())
        connection._local_candidates += self._found  # noqa: SLF001 # likewise
        connection._local_candidates_end = True  # noqa: SLF001 # likewise

    async def _bind(self, address: str) -> None:
        """Have a port of one of our own addresses."""
        loop = asyncio.get_running_loop()
        for port in _ports(self._settings):
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: StunProtocol(self._connection), local_addr=(address, port)
                )
            except OSError:
                continue  # taken, or the address has gone
            bound = transport.get_extra_info("socket")
            bound.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, turn.UDP_SOCKET_BUFFER_SIZE
            )
            place = transport.get_extra_info("sockname")
            protocol.local_candidate = _candidate("host", place[:2])
            self._hosts.append(protocol)
            self._connection._protocols.append(protocol)  # noqa: SLF001 # see the module
            self._found.append(protocol.local_candidate)
            return
        logger.warning("no UDP port of %s is free, see webrtc.udp_ports", address)

    def _questions(self) -> Iterator[Coroutine[None, None, None]]:
        """Yield what is to be asked, each of it bounded and raising nothing."""
        for server in self._settings.servers:
            for url in server.urls:
                if not self._failures.are_recent(url):
                    yield self._ask(url, server)
        for host in self._settings.additional_hosts:
            yield self._announce(host)

    async def _ask(self, url: str, server: IceServer) -> None:
        address = parse_address(url)
        ask = self._reflect if address.scheme == "stun" else self._relay
        try:
            await asyncio.wait_for(ask(address, server), ANSWER_WITHIN_S)
        except asyncio.TimeoutError:
            self._failures.note(url, _SILENCE)
        except (OSError, stun.TransactionError, ValueError) as error:
            self._failures.note(url, str(error) or type(error).__name__)
        else:
            self._failures.forget(url)

    async def _reflect(self, address: IceAddress, server: IceServer) -> None:
        """Ask as whom a STUN server sees us; the first of our addresses to tell."""
        del server
        found = await _resolve(address.host, address.port)
        family = ipaddress.ip_address(found[0]).version
        asking = [
            asyncio.ensure_future(self._reflect_one(host, found))
            for host in self._hosts
            if _version(host) == family
        ]
        if not asking:
            raise OSError("none of our addresses leads there")
        try:
            # A bridge or a tunnel leads nowhere: nobody waits for all of them.
            for first in asyncio.as_completed(asking):
                try:
                    await first
                except stun.TransactionError:
                    continue
                return
        finally:
            for task in asking:
                task.cancel()
        raise OSError(_SILENCE)

    async def _reflect_one(self, host: StunProtocol, server: tuple[str, int]) -> None:
        request = stun.Message(
            message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST
        )
        answer, _ = await host.request(request, server)
        seen = answer.attributes["XOR-MAPPED-ADDRESS"]
        self._add("srflx", seen, host)

    async def _relay(self, address: IceAddress, server: IceServer) -> None:
        """Have a TURN server lend us an address."""
        protocol = await _open_relay(address, server, StunProtocol(self._connection))
        lent = protocol.transport.get_extra_info("sockname")
        related = protocol.transport.get_extra_info("related_address")
        protocol.local_candidate = _candidate("relay", lent, related or lent)
        self._connection._protocols.append(protocol)  # noqa: SLF001 # see the module
        self._found.append(protocol.local_candidate)

    async def _announce(self, host: str) -> None:
        """Add an address that others have for us, of each port that we have."""
        try:
            address, _ = await asyncio.wait_for(_resolve(host, 0), ANSWER_WITHIN_S)
        except (OSError, asyncio.TimeoutError) as error:
            self._failures.note(host, str(error) or _SILENCE)
            return
        for own in self._hosts:
            if _version(own) == ipaddress.ip_address(address).version:
                self._add("srflx", (address, own.local_candidate.port), own)

    def _add(self, kind: str, place: tuple[str, int], host: StunProtocol) -> None:
        known = {(one.host, one.port) for one in self._found}
        if place not in known:
            base = host.local_candidate
            self._found.append(_candidate(kind, place, (base.host, base.port)))


def prepare_gathering(
    connection: RTCPeerConnection, settings: IceSettings, failures: Failures
) -> None:
    """Have a connection that knows its offer gather as this module does.

    Where this aioice keeps its candidates elsewhere, it gathers its own addresses
    alone, by its own code.
    """
    transports = [one.sender.transport for one in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for transport in transports:
        inner: Any = transport.transport.iceGatherer._connection  # noqa: SLF001 # s.a.
        if all(hasattr(inner, name) for name in _PRIVATE_NAMES):
            inner.gather_candidates = Gathering(inner, settings, failures).run
        elif settings != IceSettings():
            logger.warning("this aioice is unknown: no STUN or TURN server is asked")


def _candidate(
    kind: str, place: tuple[str, int], related: tuple[str, int] | None = None
) -> Candidate:
    base = related if kind == "srflx" and related else place
    return Candidate(
        foundation=candidate_foundation(kind, "udp", base[0]),
        component=_COMPONENT,
        transport="udp",
        priority=candidate_priority(_COMPONENT, kind),
        host=place[0],
        port=place[1],
        type=kind,
        related_address=related[0] if related else None,
        related_port=related[1] if related else None,
    )


def _ports(settings: IceSettings) -> list[int]:
    """Return the ports to try, in an order that others are unlikely to try."""
    if not settings.first_port:
        return [0]
    ports = list(range(settings.first_port, settings.last_port + 1))
    random.shuffle(ports)
    return ports


def _version(host: StunProtocol) -> int:
    return ipaddress.ip_address(host.local_candidate.host).version


async def _open_relay(
    address: IceAddress, server: IceServer, protocol: StunProtocol
) -> StunProtocol:
    """Have ``protocol`` speak by an address that a TURN server lends.

    It is `aioice.turn.create_turn_endpoint`, which until aioice 0.10, the newest for
    Python 3.10, leaves a socket behind when it is cancelled.
    """
    loop = asyncio.get_running_loop()
    place = (address.host, address.port)
    login = (server.username, server.credential)
    times = (turn.DEFAULT_ALLOCATION_LIFETIME, turn.DEFAULT_CHANNEL_REFRESH_TIME)
    inner: asyncio.BaseTransport
    client: turn.TurnClientTcpProtocol | turn.TurnClientUdpProtocol
    if address.transport == "tcp":
        inner, client = await loop.create_connection(
            lambda: turn.TurnClientTcpProtocol(place, *login, *times),
            *place,
            ssl=True if address.scheme == "turns" else None,
        )
    else:
        inner, client = await loop.create_datagram_endpoint(
            lambda: turn.TurnClientUdpProtocol(place, *login, *times),
            remote_addr=place,
        )
        inner.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, turn.UDP_SOCKET_BUFFER_SIZE
        )
    with ExitStack() as unless_connected:  # it may be cancelled, too
        unless_connected.callback(inner.close)
        await turn.TurnTransport(client)._connect(protocol)  # noqa: SLF001 # see above
        unless_connected.pop_all()
    return protocol


async def _resolve(host: str, port: int) -> tuple[str, int]:
    """Return the first address of a name, of IPv4 if it has one.

    Raises:
        OSError: It has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    return str(found[0][4][0]), port
