"""Pictures leave the jitter buffer when they are whole, and losses do not stop it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from ooblexd.clock import NS_PER_MS
from ooblexd.webrtc.reception import (
    KEYFRAME_EVERY_NS,
    PATIENCE_NS,
    Frame,
    MarkerJitterBuffer,
    Tap,
    VideoReception,
    check_reception,
)

if TYPE_CHECKING:
    from aiortc.rtp import AnyRtcpPacket

PERIOD_NS = 33 * NS_PER_MS


def packet(number: int, *, picture: int = 0, ends: bool = False) -> RtpPacket:
    """Return a packet whose content is its number."""
    made = RtpPacket(
        payload_type=96,
        marker=int(ends),
        sequence_number=number % (1 << 16),
        timestamp=picture * 3000,
        ssrc=7,
    )
    made.payload = made._data = b"%d " % number  # type: ignore[attr-defined] # as the receiver does
    return made


def padding(number: int) -> RtpPacket:
    made = packet(number)
    made.payload = made._data = b""  # type: ignore[attr-defined] # as the receiver does
    return made


@dataclass
class TimedTap:
    """A tap and its clock."""

    now_ns: int = 1
    frames: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tap = Tap(self.frames.append, lambda: self.now_ns)

    def add(self, *packets: RtpPacket, after_ns: int = 0) -> bool:
        """Add all, and say whether the last one made it ask for a keyframe."""
        self.now_ns += after_ns
        return [self.tap.add(one)[0] for one in packets][-1]

    @property
    def data(self) -> list[bytes]:
        return [frame.data for frame in self.frames]


def test_a_picture_is_handed_over_with_its_last_packet() -> None:
    buffer = MarkerJitterBuffer()

    assert buffer.add(packet(1)) == (False, None)
    _, frame = buffer.add(packet(2, ends=True))

    assert frame is not None
    assert frame.data == b"1 2 "


def test_aiortc_alone_waits_for_the_next_one() -> None:
    buffer = JitterBuffer(capacity=512, is_video=True)

    assert [buffer.add(packet(1)), buffer.add(packet(2, ends=True))][-1][1] is None


def test_the_check_at_the_start_passes() -> None:
    check_reception()


def test_a_picture_whose_end_has_no_marker_comes_with_the_next() -> None:
    bench = TimedTap()
    bench.add(packet(1), packet(2), packet(3, picture=1))

    assert bench.data == [b"1 2 "]


def test_what_was_lost_and_sent_again_lets_all_go_on_at_once() -> None:
    bench = TimedTap()
    bench.add(
        packet(65535, ends=True),
        packet(65537, picture=1, ends=True),
        packet(65538, picture=2, ends=True),
        packet(65539, picture=3),
    )
    assert bench.data == [b"65535 "]

    bench.add(packet(65536, picture=1), after_ns=100 * NS_PER_MS)

    assert bench.data == [b"65535 ", b"65536 65537 ", b"65538 "]
    assert not any(frame.is_after_gap for frame in bench.frames)


def test_what_stays_lost_is_given_up_for_a_keyframe() -> None:
    bench = TimedTap()
    bench.add(packet(1, ends=True), packet(3, picture=1, ends=True))
    number = 4
    while not bench.add(packet(number, picture=number, ends=True), after_ns=PERIOD_NS):
        number += 1
        assert bench.data == [b"1 "]
    bench.add(packet(number + 1, picture=number + 1, ends=True))

    assert (number - 3) * PERIOD_NS >= PATIENCE_NS > (number - 4) * PERIOD_NS
    assert bench.data == [b"1 ", b"%d " % (number + 1)]
    assert [frame.is_after_gap for frame in bench.frames] == [False, True]


def test_a_large_picture_on_a_slow_way_is_not_given_up() -> None:
    bench = TimedTap()
    for number in range(400):
        assert not bench.add(packet(number), after_ns=10 * NS_PER_MS)
    bench.add(packet(400, ends=True))

    assert len(bench.frames) == 1


def test_packets_that_only_measure_the_network_delay_nothing() -> None:
    bench = TimedTap()
    bench.add(packet(1, ends=True), padding(2), padding(3))
    bench.add(packet(4, picture=1), packet(5, picture=1, ends=True))

    assert bench.data == [b"1 ", b"4 5 "]
    assert not bench.frames[1].is_after_gap


def test_a_long_outage_ends_with_what_comes_after_it() -> None:
    bench = TimedTap()
    bench.add(packet(1, ends=True))
    bench.add(packet(9000, picture=1, ends=True), after_ns=5_000 * NS_PER_MS)
    bench.add(packet(9001, picture=2, ends=True), after_ns=PATIENCE_NS)
    bench.add(packet(9002, picture=3, ends=True))

    assert bench.data[-1] == b"9002 "


class Receiver:
    """What `VideoReception` touches of aiortc's."""

    def __init__(self) -> None:
        self._RTCRtpReceiver__jitter_buffer: JitterBuffer | None = None
        self.taken: list[RtpPacket] = []
        self.asked: list[int] = []

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        del arrival_time_ms
        self.taken.append(packet)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        del packet

    async def _send_rtcp_pli(self, media_ssrc: int) -> None:
        self.asked.append(media_ssrc)


def test_of_several_layers_one_is_taken_and_keyframes_are_asked_for_rarely() -> None:
    receiver: Any = Receiver()
    now_ns = [1_000_000_000_000]
    reception = VideoReception(receiver, print, lambda: None, lambda: now_ns[0])
    reception.media_types = (96,)

    async def run() -> None:
        for ssrc in (1, 2, 1, 2):
            one = packet(1)
            one.ssrc = ssrc
            await receiver._handle_rtp_packet(one, arrival_time_ms=0)
        assert [one.ssrc for one in receiver.taken] == [1, 1]

        for _ in range(3):
            reception.want_keyframe()
            await receiver._send_rtcp_pli(1)
            await asyncio.gather(*reception._asking)
            now_ns[0] += KEYFRAME_EVERY_NS // 2
        assert receiver.asked == [1, 1]

    asyncio.run(run())
