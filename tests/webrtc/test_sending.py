"""What leaves is what aiortc itself would send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import anyio
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtp import HeaderExtensionsMap, RtcpRtpfbPacket, RtpPacket, is_rtcp

from ooblexd.webrtc.adapters import forget_sent
from ooblexd.webrtc.sending import Packing, send_packed
from tests.support.codecs import prefer
from tests.support.encoded import Picture

if TYPE_CHECKING:
    import av
    from aiortc import RTCRtpSender

    from ooblexd.webrtc.exchange import EncodedUnit

NACK = 1


class Units(MediaStreamTrack):
    """Gives pictures that are encoded already."""

    kind = "video"

    def __init__(self, units: list[EncodedUnit]) -> None:
        super().__init__()
        self._units = iter(units)
        self.has_ended = asyncio.Event()

    async def recv(self) -> av.Packet[av.VideoStream]:
        unit = next(self._units, None)
        if unit is None:
            self.has_ended.set()
            await asyncio.Event().wait()  # until the sender is stopped
            raise MediaStreamError
        return unit.packet


class Sent(NamedTuple):
    """A packet, without what is drawn by lot."""

    number: int
    time: int
    marker: int
    payload: bytes
    mid: str | None
    has_send_time: bool


class Recorded(NamedTuple):
    """What a sender has sent, and what it says of it."""

    packets: list[Sent]
    counted: int
    octets: int


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """All packets of RTP that leave, before they are encrypted."""
    packets: list[bytes] = []
    send = RTCDtlsTransport._send_rtp

    async def note(transport: RTCDtlsTransport, data: bytes) -> None:
        if not is_rtcp(data):
            packets.append(data)
        await send(transport, data)

    monkeypatch.setattr(RTCDtlsTransport, "_send_rtp", note)
    return packets


async def connected(track: Units, packing: Packing | None) -> list[RTCPeerConnection]:
    """Return two connections, of which the first sends ``track``."""
    ours, theirs = RTCPeerConnection(), RTCPeerConnection()
    transceiver = theirs.addTransceiver("video", direction="recvonly")
    prefer(transceiver, "H264")
    sender = ours.addTrack(track)
    if packing is not None:
        send_packed(sender, packing)
    await theirs.setLocalDescription(await theirs.createOffer())
    await ours.setRemoteDescription(theirs.localDescription)
    await ours.setLocalDescription(await ours.createAnswer())
    await theirs.setRemoteDescription(ours.localDescription)
    return [ours, theirs]


def read(data: list[bytes], extensions: HeaderExtensionsMap) -> list[Sent]:
    packets = [RtpPacket.parse(one, extensions) for one in data]
    first = packets[0]
    return [
        Sent(
            (one.sequence_number - first.sequence_number) % (1 << 16),
            (one.timestamp - first.timestamp) % (1 << 32),
            one.marker,
            one.payload,
            one.extensions.mid,
            one.extensions.abs_send_time is not None,
        )
        for one in packets
    ]


def extensions_of(sender: RTCRtpSender) -> HeaderExtensionsMap:
    found = vars(sender)["_RTCRtpSender__rtp_header_extensions_map"]
    assert isinstance(found, HeaderExtensionsMap)
    return found


async def send_all(
    units: list[EncodedUnit], packing: Packing | None, sent: list[bytes]
) -> Recorded:
    sent.clear()
    track = Units(units)
    connections = await connected(track, packing)
    with anyio.fail_after(10):
        await track.has_ended.wait()
    (sender,) = connections[0].getSenders()
    (report,) = (
        one for one in (await sender.getStats()).values() if one.type == "outbound-rtp"
    )
    recorded = read(sent, extensions_of(sender))
    for connection in connections:
        await connection.close()
    return Recorded(recorded, report.packetsSent, report.bytesSent)


def pictures(count: int) -> list[EncodedUnit]:
    picture = Picture(640, 360)
    return [picture.unit(is_keyframe=number == 0) for number in range(count)]


def test_the_same_packets_leave(sent: list[bytes]) -> None:
    async def run() -> None:
        units, packing = pictures(6), Packing()
        plain = await send_all(units, None, sent)
        assert len(plain.packets) > len(units)  # the keyframe needs several

        for _ in range(2):  # two viewers of the same pictures
            assert await send_all(units, packing, sent) == plain

    asyncio.run(run())


def test_what_was_lost_is_sent_again_until_it_is_forgotten(sent: list[bytes]) -> None:
    async def run() -> None:
        sent.clear()
        track = Units(pictures(3))
        connections = await connected(track, Packing())
        with anyio.fail_after(10):
            await track.has_ended.wait()
        (sender,) = connections[0].getSenders()
        lost = RtpPacket.parse(sent[1])
        nack = RtcpRtpfbPacket(NACK, 1, lost.ssrc, [lost.sequence_number])
        count = len(sent)

        await sender._handle_rtcp_packet(nack)
        assert len(sent) == count + 1
        assert lost.payload in sent[-1]
        forget_sent(sender)
        await sender._handle_rtcp_packet(nack)
        assert len(sent) == count + 1
        for connection in connections:
            await connection.close()

    asyncio.run(run())
