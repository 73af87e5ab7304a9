"""Which candidates an answer has, whatever the servers do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import TYPE_CHECKING

import pytest
from aioice import Connection

from ooblexd.ice import IceServer, IceSettings
from ooblexd.webrtc.gathering import Failures, Gathering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aioice import Candidate


async def gathered(settings: IceSettings, failures: Failures) -> list[Candidate]:
    connection = Connection(ice_controlling=False)
    await Gathering(connection, settings, failures).run()
    found = connection.local_candidates
    await connection.close()
    return found


class SilentServer:
    """A server that answers nobody."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.address = f"127.0.0.1:{end.getsockname()[1]}"

    def asked(self) -> int:
        """Return how often somebody has asked since the last time."""
        times = 0
        with contextlib.suppress(BlockingIOError):
            while self._end.recv(2048, socket.MSG_DONTWAIT):
                times += 1
        return times


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        yield SilentServer(end)


def hosts(found: list[Candidate]) -> list[Candidate]:
    return [one for one in found if one.type == "host"]


def test_a_server_that_is_silent_costs_half_a_second_once_and_is_logged_once(
    silent: SilentServer, caplog: pytest.LogCaptureFixture
) -> None:
    stun, turn = f"stun:{silent.address}", f"turn:{silent.address}"
    settings = IceSettings((IceServer((stun,)), IceServer((turn,), "u", "hunter2")))
    failures = Failures()

    async def body() -> None:
        began = time.monotonic()
        found = await gathered(settings, failures)
        assert hosts(found) == found != []
        assert time.monotonic() - began < 4  # aioice alone takes five

        assert failures.are_recent(stun)
        assert failures.are_recent(turn)
        assert silent.asked()
        assert hosts(await gathered(settings, failures)) != []
        assert not silent.asked()

    with caplog.at_level(logging.WARNING):
        asyncio.run(body())
    assert [record.getMessage().split(" cannot")[0] for record in caplog.records] == [
        stun,
        turn,
    ]
    assert "hunter2" not in caplog.text


def test_a_name_that_nobody_knows_costs_no_candidate() -> None:
    settings = IceSettings(
        (IceServer(("stun:nobody.invalid",)),), additional_hosts=("nobody.invalid",)
    )
    failures = Failures()

    found = asyncio.run(gathered(settings, failures))

    assert hosts(found) == found != []
    assert set(failures.at_ns) == {"stun:nobody.invalid", "nobody.invalid"}


def test_ports_are_those_that_the_firewall_lets_through() -> None:
    async def body() -> None:
        settings = IceSettings(first_port=41000, last_port=41009)
        some = [Connection(ice_controlling=False) for _ in range(3)]
        for connection in some:
            await Gathering(connection, settings, Failures()).run()
        found = [one for connection in some for one in connection.local_candidates]
        places = {(one.host, one.port) for one in found}
        assert len(places) == len(found) >= 3
        assert {port for _, port in places} <= set(range(41000, 41010))
        for connection in some:
            await connection.close()

    asyncio.run(body())


def test_an_address_that_others_have_for_us_is_told_with_our_ports() -> None:
    settings = IceSettings(additional_hosts=("203.0.113.7",))

    found = asyncio.run(gathered(settings, Failures()))

    told = [one for one in found if one.host == "203.0.113.7"]
    assert [one.type for one in told] == ["srflx"] * len(told)
    own = {one.port: one.host for one in hosts(found)}
    assert told
    assert all(own[one.port] == one.related_address for one in told)
