"""Real offers to the peers of a stream, good ones and bad ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiortc import RTCPeerConnection

from ooblexd.signalling import Signal, SignalVerb
from ooblexd.webrtc.exchange import Wishes
from ooblexd.webrtc.peers import MOST_PEERS, Peers
from tests.support.codecs import prefer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


CANDIDATE = "a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n"


async def offer(kind: str = "video", *, codec: str = "H264") -> str:
    """Return the offer of a client that wants to receive ``kind``."""
    connection = RTCPeerConnection()
    transceiver = connection.addTransceiver(kind, direction="recvonly")
    if kind == "video":
        prefer(transceiver, codec)
    await connection.setLocalDescription(await connection.createOffer())
    sdp: str = connection.localDescription.sdp
    await connection.close()
    return sdp


def with_peers(body: Callable[[Peers], Awaitable[None]]) -> None:
    async def run() -> None:
        peers = Peers(Wishes(), lambda _: True, lambda _: True, lambda: None)
        try:
            await body(peers)
        finally:
            await peers.close()
        assert len(peers) == 0

    asyncio.run(run())


@pytest.mark.parametrize("name", ["H264", "VP8"])
def test_an_offer_is_answered_by_what_it_can_decode(name: str) -> None:
    async def body(peers: Peers) -> None:
        said = await peers.obey(
            Signal(7, "door", SignalVerb.OFFER, "", await offer(codec=name))
        )
        assert said.error == ""
        assert said.request == 7
        assert f" {name}/90000" in said.body
        assert "a=sendonly" in said.body
        assert "a=candidate:" in said.body
        assert len(peers) == 1
        assert peers.wishes.viewers == 0  # it is not connected yet

        ended = await peers.obey(Signal(8, "door", SignalVerb.END, said.peer, ""))
        assert ended.error == ""
        assert len(peers) == 0
        again = await peers.obey(Signal(9, "door", SignalVerb.END, said.peer, ""))
        assert again.error == ""

    with_peers(body)


def test_h264_comes_before_vp8() -> None:
    async def body(peers: Peers) -> None:
        sdp = await offer(codec="VP8")
        both = sdp.replace(" 97 98", " 97 98 99").replace(
            "a=rtpmap:97 VP8/90000",
            "a=rtpmap:97 VP8/90000\r\na=rtpmap:99 H264/90000\r\n"
            "a=fmtp:99 packetization-mode=1;profile-level-id=42e01f",
        )
        assert both != sdp
        said = await peers.obey(Signal(1, "door", SignalVerb.OFFER, "", both))
        assert said.error == ""
        formats = next(line for line in said.body.splitlines() if "m=video" in line)
        assert formats.split()[3] == "99"

    with_peers(body)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "", "SDP"),
        (lambda _: "hello", "SDP"),
        (lambda sdp: sdp[: len(sdp) // 3], "SDP"),
        (lambda sdp: sdp.replace("H264", "AV1"), "codec"),
        (lambda sdp: sdp.replace("a=recvonly", "a=sendonly"), "receive"),
        (lambda sdp: sdp.replace("a=ice-pwd", "a=no-pwd"), ""),
        (lambda sdp: sdp.replace("a=fingerprint", "a=no-print"), "fingerprint"),
        (lambda sdp: sdp.replace("packetization-mode=1", "packetization-mode"), "SDP"),
        (lambda sdp: sdp + CANDIDATE * 99, "candidate"),
        (lambda sdp: sdp + "m=video 9 UDP/TLS/RTP/SAVPF 99\r\n" * 9, "m="),
    ],
)
def test_what_cannot_be_answered_is_refused_and_leaves_nothing(
    change: Callable[[str], str], reason: str
) -> None:
    async def body(peers: Peers) -> None:
        bad = change(await offer())
        said = await peers.obey(Signal(1, "door", SignalVerb.OFFER, "", bad))
        assert said.status == 400
        assert said.error
        assert reason in said.error
        assert said.body == ""
        assert len(peers) == 0

    with_peers(body)


def test_who_wants_only_sound_is_refused() -> None:
    async def body(peers: Peers) -> None:
        said = await peers.obey(
            Signal(1, "door", SignalVerb.OFFER, "", await offer("audio"))
        )
        assert said.status == 400
        assert len(peers) == 0

    with_peers(body)


@pytest.mark.parametrize("verb", [SignalVerb.CANDIDATES, SignalVerb.END])
def test_a_session_that_is_not_there_is_not_found(verb: SignalVerb) -> None:
    async def body(peers: Peers) -> None:
        said = await peers.obey(Signal(1, "door", verb, "nobody", "a=mid:0"))
        assert said.status == 404

    with_peers(body)


def test_candidates_are_read_or_refused() -> None:
    async def body(peers: Peers) -> None:
        said = await peers.obey(Signal(1, "door", SignalVerb.OFFER, "", await offer()))
        good = "a=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.9 4000 typ host\r\n"
        for fragment, status in (
            (good, 0),
            (good + "a=end-of-candidates\r\n", 0),
            (good.replace("udp", "tcp"), 0),  # passed over
            ("a=candidate:1 1 udp nonsense", 400),
            (good * 60, 400),
        ):
            taken = await peers.obey(
                Signal(2, "door", SignalVerb.CANDIDATES, said.peer, fragment)
            )
            assert taken.status == status, taken.error

    with_peers(body)


def test_who_never_connects_makes_room_for_who_may() -> None:
    async def body(peers: Peers) -> None:
        sdp = await offer()
        for _ in range(MOST_PEERS + 3):
            said = await peers.obey(Signal(1, "door", SignalVerb.OFFER, "", sdp))
            assert said.error == ""
        assert len(peers) == MOST_PEERS

    with_peers(body)


def test_nothing_is_received_from_who_came_to_watch() -> None:
    async def body(peers: Peers) -> None:
        connection = RTCPeerConnection()
        connection.addTransceiver("video", direction="recvonly")
        connection.addTransceiver("video", direction="sendonly")
        connection.addTransceiver("audio", direction="sendrecv")
        await connection.setLocalDescription(await connection.createOffer())
        sdp = connection.localDescription.sdp
        await connection.close()
        said = await peers.obey(Signal(1, "door", SignalVerb.OFFER, "", sdp))
        assert said.error == ""
        media = said.body.split("m=")[1:]
        assert ["a=sendonly" in part for part in media] == [True, False, True]
        assert ["a=inactive" in part for part in media] == [False, True, False]

    with_peers(body)
