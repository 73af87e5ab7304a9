"""Real publishers, good ones and bad ones, in a real loop of aiortc."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from ooblexd.signalling import SessionKind, Signal, Signalled, SignalVerb
from ooblexd.sources.keyframes import is_keyframe
from ooblexd.webrtc.exchange import Reception, Return, Wishes
from ooblexd.webrtc.publishers import MOST_PUBLISHERS, Publishers
from tests.support.codecs import prefer
from tests.support.whip_publisher import StampedTrack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ooblexd.webrtc.exchange import ReceivedSound, ReceivedUnit

OBS_OFFER = Path(__file__).parents[1] / "data" / "obs_offer.sdp"


@dataclass
class Bench:
    """The publishers of a stream, and what came of them."""

    units: list[ReceivedUnit] = field(default_factory=list)
    sounds: list[ReceivedSound] = field(default_factory=list)
    publishing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.publishers = Publishers(
            "desk",
            Reception(self.units.append, self.sounds.append, self.publishing.append),
            Return(Wishes(), lambda _: True),
            lambda: None,
        )

    async def say(self, verb: SignalVerb, peer: str = "", body: str = "") -> Signalled:
        """Say something to them."""
        kind = SessionKind.PUBLISH.value
        return await self.publishers.obey(Signal(1, "desk", verb, peer, body, kind))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to come."""
        with anyio.fail_after(10):
            while not condition():  # noqa: ASYNC110 # of states without an event
                await anyio.sleep(0.01)


def with_bench(body: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        bench = Bench()
        try:
            await body(bench)
        finally:
            await bench.publishers.close()
        assert len(bench.publishers) == 0

    asyncio.run(run())


async def offer(connection: RTCPeerConnection, codec: str = "H264") -> str:
    """Return the offer of somebody with a camera."""
    transceiver = connection.addTransceiver(StampedTrack(64, 48), direction="sendonly")
    prefer(transceiver, codec)
    await connection.setLocalDescription(await connection.createOffer())
    return str(connection.localDescription.sdp)


async def come(bench: Bench, codec: str = "H264") -> tuple[RTCPeerConnection, str]:
    """Have somebody publish, and return the connection and the session's name."""
    connection = RTCPeerConnection()
    said = await bench.say(SignalVerb.OFFER, body=await offer(connection, codec))
    assert said.error == ""
    assert "a=recvonly" in said.body
    assert said.body.count("a=fingerprint:") == 1
    answer = RTCSessionDescription(said.body, "answer")
    await connection.setRemoteDescription(answer)
    return connection, said.peer


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_every_picture_comes_once_from_a_keyframe_on(codec: str) -> None:
    async def body(bench: Bench) -> None:
        connection, name = await come(bench, codec)
        await bench.until(lambda: len(bench.units) >= 10)
        await connection.close()

        first = bench.units[0]
        assert (first.publisher, first.codec.value) == (name, codec.lower())
        assert is_keyframe(first.codec.value, first.data)
        times = [unit.rtp_time - first.rtp_time for unit in bench.units]
        assert times[:3] == pytest.approx([0, 3000, 6000], abs=2)
        assert not any(unit.is_after_gap for unit in bench.units)
        await bench.until(lambda: bench.publishing == [name, ""])

    with_bench(body)


def test_the_newest_takes_over_and_the_one_before_is_told() -> None:
    async def body(bench: Bench) -> None:
        first, first_name = await come(bench)
        await bench.until(lambda: len(bench.units) >= 3)
        second, second_name = await come(bench)
        await bench.until(lambda: bench.publishing[-1] == second_name)
        await bench.until(lambda: bench.units[-1].publisher == second_name)

        await bench.until(lambda: first.connectionState == "closed")
        gone = await bench.say(SignalVerb.CANDIDATES, first_name)
        assert (gone.status, "taken over" in gone.error) == (410, True)
        after = [unit.publisher for unit in bench.units]
        assert after == sorted(after, key=[first_name, second_name].index)
        ended = await bench.say(SignalVerb.END, second_name)
        assert ended.error == ""
        assert bench.publishing == [first_name, second_name, ""]
        await second.close()

    with_bench(body)


def test_what_obs_offers_is_answered_with_what_it_can_read() -> None:
    async def body(bench: Bench) -> None:
        said = await bench.say(SignalVerb.OFFER, body=OBS_OFFER.read_text())
        lines = said.body.splitlines()
        media = [line.split(" ") for line in lines if line.startswith("m=")]
        assert [(line[0], line[3:]) for line in media] == [
            ("m=audio", ["111"]),
            ("m=video", ["96"]),
        ]
        assert lines.count("a=recvonly") == lines.count("a=setup:active") == 2
        assert "a=group:BUNDLE 0 1" in lines
        # With more than one it fails in a third of its sessions.
        prints = {line for line in lines if line.startswith("a=fingerprint:")}
        assert [one.split(" ")[0] for one in prints] == ["a=fingerprint:sha-256"]
        # It has told no candidate, and never will: it goes where we are.
        assert any(line.startswith("a=candidate:") for line in lines)
        assert "a=rtcp-fb:96 nack pli" in lines

    with_bench(body)


def test_who_hangs_up_and_then_ends_the_session_has_ended_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(bench: Bench) -> None:
        connection, name = await come(bench)  # OBS does it in this order
        await bench.until(lambda: bench.publishing == [name])
        await connection.close()
        await bench.until(lambda: bench.publishing == [name, ""])
        assert (await bench.say(SignalVerb.END, name)).error == ""
        assert (await bench.say(SignalVerb.CANDIDATES, name)).status == 404

    with caplog.at_level("INFO", logger="ooblexd"):
        with_bench(body)
    assert "the publisher has ended it" in caplog.text


def test_an_offer_that_leads_nowhere_ends_nobody_and_makes_room() -> None:
    async def body(bench: Bench) -> None:
        connection, name = await come(bench)
        await bench.until(lambda: bench.publishing == [name])
        other = RTCPeerConnection()
        sdp = await offer(other)
        await other.close()
        for _ in range(MOST_PUBLISHERS + 2):
            assert (await bench.say(SignalVerb.OFFER, body=sdp)).error == ""

        assert len(bench.publishers) == MOST_PUBLISHERS
        assert bench.publishing == [name]
        await connection.close()

    with_bench(body)


def test_sound_is_taken_and_further_pictures_are_not() -> None:
    async def body(bench: Bench) -> None:
        connection = RTCPeerConnection()
        connection.addTransceiver("audio", direction="sendonly")
        connection.addTransceiver("video", direction="sendonly")
        connection.addTransceiver("video", direction="sendonly")
        await connection.setLocalDescription(await connection.createOffer())
        said = await bench.say(SignalVerb.OFFER, body=connection.localDescription.sdp)
        await connection.close()

        media = said.body.split("m=")[1:]
        assert ["a=recvonly" in part for part in media] == [True, True, False]
        assert "a=inactive" in media[2]

    with_bench(body)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "", "SDP"),
        (lambda sdp: sdp[: len(sdp) // 3], "SDP"),
        (lambda sdp: sdp.replace("H264", "AV1"), "codec"),
        (lambda sdp: sdp.replace("a=sendonly", "a=recvonly"), "send"),
        (lambda sdp: sdp.replace("m=video", "m=audio"), ""),
    ],
)
def test_what_cannot_be_answered_is_refused_and_leaves_nothing(
    change: Callable[[str], str], reason: str
) -> None:
    async def body(bench: Bench) -> None:
        connection = RTCPeerConnection()
        bad = change(await offer(connection))
        await connection.close()
        said = await bench.say(SignalVerb.OFFER, body=bad)

        assert said.status == 400
        assert reason in said.error
        assert len(bench.publishers) == 0
        assert bench.publishing == []

    with_bench(body)


def test_a_session_that_is_not_there_is_not_found() -> None:
    async def body(bench: Bench) -> None:
        assert (await bench.say(SignalVerb.END, "nobody")).status == 404

    with_bench(body)
