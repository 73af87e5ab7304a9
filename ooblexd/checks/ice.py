"""What the STUN and TURN servers of the configuration answer, each asked once.

Nothing but these is asked, and each for three seconds at most, all at once.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ooblexd.clock import NS_PER_MS, monotonic_ns
from ooblexd.ice import parse_address

if TYPE_CHECKING:
    from aioice.turn import TurnTransport

    from ooblexd.ice import IceAddress, IceServer, IceSettings

ANSWER_WITHIN_S = 2.0
RESOLVED_WITHIN_S = 1.0
_ANY = "0.0.0.0"  # noqa: S104 # it only asks; what comes unasked is thrown away
_UNAUTHORIZED = 401
_QUOTA, _NO_CAPACITY = 486, 508


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of asking one address of a server.

    Attributes:
        url: Of the server.
        transport: ``udp`` or ``tcp``.
        ms: How long it took, in milliseconds.
        seen_as: As which address and port it sees us; empty where it does not say.
        relay: The address that it lends; empty for STUN.
        error: Why it cannot be used; empty where it can.
        remedy: What to do about that.
    """

    url: str
    transport: str
    ms: float = 0.0
    seen_as: tuple[str, int] = ("", 0)
    relay: str = ""
    error: str = ""
    remedy: str = ""


def own_addresses() -> list[str]:
    """Return the addresses of this machine that a viewer is told of."""
    from aioice.ice import get_host_addresses  # noqa: PLC0415 # control needs it rarely

    return get_host_addresses(use_ipv4=True, use_ipv6=True)


def ask_servers(settings: IceSettings) -> list[Answered]:
    """Ask all servers and wait for their answers; blocks, in a thread of its own."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_ask_all(settings))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())  # what closes, has closed
        loop.close()  # waits for no resolver that is still at it, as `run` would


async def _ask_all(settings: IceSettings) -> list[Answered]:
    loop = asyncio.get_running_loop()
    # One port for all STUN servers: if they see different ones, the NAT is symmetric.
    transport, asker = await loop.create_datagram_endpoint(_Asker, local_addr=(_ANY, 0))
    try:
        questions = (
            _ask(url, server, asker)
            for server in settings.servers
            for url in server.urls
        )
        return list(await asyncio.gather(*questions))
    finally:
        transport.close()


async def _ask(url: str, server: IceServer, asker: _Asker) -> Answered:
    from aioice import stun  # noqa: PLC0415 # see above

    address = parse_address(url)
    began_ns = monotonic_ns()
    seen_as, relay = ("", 0), ""
    error = remedy = ""
    try:
        place = await _resolve(address.host)
        if address.scheme == "stun":
            asked = asker.ask((place, address.port))
            seen_as = await asyncio.wait_for(asked, ANSWER_WITHIN_S)
        else:
            # A certificate is for the name.
            host = address.host if address.scheme == "turns" else place
            lent = _relay(replace(address, host=host), server)
            seen_as, relay = await asyncio.wait_for(lent, ANSWER_WITHIN_S)
    except socket.gaierror as problem:
        error = f"the name {address.host} leads nowhere: {problem.strerror or problem}"
        remedy = "correct webrtc.ice_servers, or see what DNS this machine asks"
    except asyncio.TimeoutError:
        error = f"no answer within {ANSWER_WITHIN_S:g} s"
        remedy = f"is it on, and does a firewall let {_door(address)} out?"
    except ssl.SSLError as problem:
        error = f"TLS: {problem.reason or problem}"
        remedy = "its certificate must be valid for the name in webrtc.ice_servers"
    except stun.TransactionFailed as refusal:
        error, remedy = _refusal(refusal.response.attributes.get("ERROR-CODE", (0, "")))
    except (OSError, stun.TransactionError, ValueError) as problem:
        number = getattr(problem, "errno", None)
        error = (os.strerror(number) if number else str(problem)).lower()
        remedy = f"is there a server at {_door(address)} of {address.host}?"
    ms = (monotonic_ns() - began_ns) / NS_PER_MS
    return Answered(url, address.transport, ms, seen_as, relay, error, remedy)


async def _resolve(host: str) -> str:
    """Return the address of a server.

    Raises:
        socket.gaierror: It has none, or nobody tells.
    """
    loop = asyncio.get_running_loop()
    try:
        asked = loop.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
        found = await asyncio.wait_for(asked, RESOLVED_WITHIN_S)
    except asyncio.TimeoutError:
        silence = f"DNS has no answer within {RESOLVED_WITHIN_S:g} s"
        raise socket.gaierror(socket.EAI_AGAIN, silence) from None
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    return str(found[0][4][0])


def _refusal(code: tuple[int, str]) -> tuple[str, str]:
    number, reason = code
    if number == _UNAUTHORIZED:
        return (
            "it refuses the username or the password (401)",
            "compare username and password, or secret and clock, with the server's",
        )
    told = f"it refuses: {reason.strip() or 'without a reason'} ({number})"
    if number in (_QUOTA, _NO_CAPACITY):
        return told, "it has no more to lend: raise its quota, or close connections"
    return told, "its log says more"


def _door(address: IceAddress) -> str:
    return f"{address.transport.upper()} {address.port}"


class _Asker(asyncio.DatagramProtocol):
    """One UDP port that asks several servers."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[tuple[str, int]]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        from aioice import stun  # noqa: PLC0415 # see above

        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        waiting = self._waiting.get(message.transaction_id)
        seen = message.attributes.get("XOR-MAPPED-ADDRESS")
        if waiting is not None and not waiting.done() and seen is not None:
            waiting.set_result(seen)

    async def ask(self, server: tuple[str, int]) -> tuple[str, int]:
        """Return as whom a server sees us; waits for ever."""
        from aioice import stun  # noqa: PLC0415 # see above

        assert self._transport is not None
        message = stun.Message(
            message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST
        )
        answer = asyncio.get_running_loop().create_future()
        self._waiting[message.transaction_id] = answer
        while True:  # a datagram may be lost
            self._transport.sendto(bytes(message), server)
            done, _ = await asyncio.wait([answer], timeout=ANSWER_WITHIN_S / 4)
            if done:
                seen: tuple[str, int] = answer.result()
                return seen


async def _relay(address: IceAddress, server: IceServer) -> tuple[tuple[str, int], str]:
    from aioice import turn  # noqa: PLC0415 # see above

    transport, ending = await turn.create_turn_endpoint(
        _Ending,
        server_addr=(address.host, address.port),
        username=server.username,
        password=server.credential,
        ssl=address.scheme == "turns",
        transport=address.transport,
    )
    seen_as = transport.get_extra_info("related_address") or ("", 0)
    relay = str(transport.get_extra_info("sockname")[0])
    transport.close()  # gives it back
    await ending.has_ended
    return seen_as, relay


class _Ending(asyncio.DatagramProtocol):
    """Notes that what a server lent was given back."""

    def __init__(self) -> None:
        self.has_ended: asyncio.Future[None] = asyncio.Future()

    def connection_made(self, transport: TurnTransport) -> None:  # type: ignore[override] # aioice's is none
        del transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.has_ended.done():
            self.has_ended.set_result(None)
