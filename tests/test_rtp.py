"""What is put into packets comes out of somebody else's depacketiser as it was."""

from __future__ import annotations

import struct

from aiortc.codecs import depayload
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtcpPacket, RtcpSrPacket, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_S
from ooblexd.rtp import (
    MOST_PAYLOAD_BYTES,
    PAYLOAD_TYPE,
    RATE_HZ,
    AudioPacketiser,
    Packetiser,
    find_parameter_sets,
)
from tests.support.h264 import units

H264 = RTCRtpCodecParameters(
    mimeType="video/H264", clockRate=RATE_HZ, payloadType=PAYLOAD_TYPE
)
# A NAL unit ends without zeros, and has no start code within.
NALS = st.tuples(
    st.sampled_from([0x65, 0x41, 0x06]), st.integers(1, 3 * MOST_PAYLOAD_BYTES)
).map(lambda nal: bytes([nal[0]]) + b"\x5a" * nal[1])
START = b"\0\0\0\1"


def depacketised(packets: list[bytes]) -> bytes:
    parsed = [RtpPacket.parse(packet) for packet in packets]
    return b"".join(depayload(H264, packet.payload) for packet in parsed)


@given(st.lists(NALS, min_size=1, max_size=4), st.sampled_from([START, START[1:]]))
def test_a_picture_comes_out_as_it_was(nals: list[bytes], start: bytes) -> None:
    packets = Packetiser().packets(b"".join(start + nal for nal in nals), 0)

    assert depacketised(packets) == b"".join(START + nal for nal in nals)
    assert all(len(packet) <= MOST_PAYLOAD_BYTES + 12 for packet in packets)
    marked = [RtpPacket.parse(packet).marker for packet in packets]
    assert marked == [0] * (len(packets) - 1) + [1]


def test_numbers_go_on_and_times_are_those_of_the_pictures() -> None:
    packetiser = Packetiser()
    first, base = packetiser.next_sequence, packetiser.first_timestamp
    pictures = units(12, (640, 360))

    made = [packetiser.packets(unit.data, unit.pts_ns) for unit in pictures]

    parsed = [[RtpPacket.parse(packet) for packet in packets] for packets in made]
    numbers = [packet.sequence_number for packets in parsed for packet in packets]
    assert numbers == [(first + at) % (1 << 16) for at in range(len(numbers))]
    ticks = [{(p.timestamp - base) % (1 << 32) for p in packets} for packets in parsed]
    assert ticks == [{at * RATE_HZ // 25} for at in range(12)]


def test_a_report_says_when_a_picture_was_taken() -> None:
    packetiser = Packetiser()
    packets = packetiser.packets(START + b"\x65abc", 7)

    (report,) = RtcpPacket.parse(packetiser.report(7, 1_500_000))

    assert isinstance(report, RtcpSrPacket)
    assert report.sender_info.rtp_timestamp == packetiser.first_timestamp
    assert report.sender_info.ntp_timestamp == (2_208_988_801 << 32) + (1 << 31)
    assert report.sender_info.packet_count == 1
    assert report.sender_info.octet_count == 4
    assert report.ssrc == struct.unpack("!I", packets[0][8:12])[0]


def test_parameter_sets_are_those_before_a_keyframe() -> None:
    keyframe, other = units(2)

    found = find_parameter_sets(keyframe.data)

    assert found is not None
    assert START + found.sequence in keyframe.data
    assert found.picture[0] & 0x1F == 8
    assert find_parameter_sets(other.data) is None


def test_sound_has_one_unit_a_packet_and_the_time_of_its_samples() -> None:
    packetiser = AudioPacketiser(48_000, 2)
    packetiser.begin(5 * NS_PER_S)

    pieces = [
        packetiser.packets(bytes(size), 5 * NS_PER_S + n * 1024 * NS_PER_S // 48_000)
        for n, size in enumerate([6, 700, 1500])
    ]

    parsed = [RtpPacket.parse(packet) for (packet,) in pieces]
    times = [one.timestamp - packetiser.first_timestamp for one in parsed]
    assert [at % 2**32 for at in times] == [0, 1024, 2048]
    assert all(one.marker for one in parsed)
    assert [one.payload[:4].hex() for one in parsed] == [
        "00100030",
        "001015e0",
        "00102ee0",
    ]
    assert "config=1190" in packetiser.describe()[-1]
