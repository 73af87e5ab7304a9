"""Step 6: H.264 and AAC, piece by piece, into the packets that RTSP carries.

Our own, since it is little: FFmpeg's muxer of RTP opens sockets itself, and aiortc's
packetiser comes with the whole of WebRTC, which control does not load.

Source: RFC 6184 (5.6 and 5.8), RFC 3640 (3.2, 3.3.6), RFC 3550 (5.1 and 6.4.1).
"""

from __future__ import annotations

import base64
import secrets
import struct
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.aac import setup_of
from ooblexd.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE_HZ = 90_000  # of timestamps
PAYLOAD_TYPE = 96
AUDIO_PAYLOAD_TYPE = 97
MOST_PAYLOAD_BYTES = 1400  # with what lies around it less than Ethernet's 1500

_VERSION = 0x80
_MARKER = 0x80
_SENDER_REPORT = 200
_SENDER_REPORT_WORDS = 6  # behind the first
_SEQUENCE_PARAMETERS, _PICTURE_PARAMETERS = 7, 8  # types of NAL units
_FRAGMENT = 28  # FU-A
_FIRST_FRAGMENT, _LAST_FRAGMENT = 0x80, 0x40
_IMPORTANCE, _TYPE = 0xE0, 0x1F  # of a NAL unit's first byte
_EPOCH_S = 2_208_988_800  # from NTP's, 1900, to that of Unix
_UNITS = struct.Struct("!HH")  # how many bits of heads follow, and the only one
_UNIT_HEAD_BITS, _UNIT_INDEX_BITS = 16, 3
_HEAD = struct.Struct("!BBHII")
_REPORT = struct.Struct("!BBHIIIIII")


class ParameterSets(NamedTuple):
    """What a decoder has to know before the first picture.

    Attributes:
        sequence: A NAL unit (SPS).
        picture: Likewise (PPS).
    """

    sequence: bytes
    picture: bytes

    def describe(self) -> str:
        """Return them as a session description says them (RFC 6184, 8.1)."""
        sets = ",".join(base64.b64encode(one).decode() for one in self)
        profile = self.sequence[1:4].hex().upper()
        return (
            f"packetization-mode=1;profile-level-id={profile};"
            f"sprop-parameter-sets={sets}"
        )


class Track:
    """One kind of packets for one who plays a stream.

    Args:
        payload_type: Of its packets.
        rate_hz: Of its timestamps.

    Attributes:
        next_sequence: Number of the next packet.
        first_timestamp: Of what begins when the track does.
    """

    def __init__(self, payload_type: int, rate_hz: int) -> None:
        self.next_sequence = secrets.randbits(16)
        self.first_timestamp = secrets.randbits(32)
        self._payload_type = payload_type
        self._rate_hz = rate_hz
        self._source = secrets.randbits(32)
        self._first_ns = -1
        self._packets = 0
        self._payload_bytes = 0

    def begin(self, first_ns: int) -> None:
        """Begin at a time; else the track does with its first packet."""
        self._first_ns = first_ns

    def _pack(self, payloads: Sequence[bytes], pts_ns: int) -> list[bytes]:
        """Return packets, the last of which is marked."""
        timestamp = self._timestamp_of(pts_ns)
        last = len(payloads) - 1
        made = []
        for number, payload in enumerate(payloads):
            kind = self._payload_type | (_MARKER if number == last else 0)
            sequence = (self.next_sequence + number) & 0xFFFF
            head = _HEAD.pack(_VERSION, kind, sequence, timestamp, self._source)
            made.append(head + payload)
            self._payload_bytes += len(payload)
        self.next_sequence = (self.next_sequence + len(made)) & 0xFFFF
        self._packets += len(made)
        return made

    def report(self, pts_ns: int, unix_us: int) -> bytes:
        """Return a sender report, which says when something was taken.

        Args:
            pts_ns: Of what packets have been made of.
            unix_us: Wall time at which it was captured.
        """
        seconds, rest_us = divmod(unix_us, 1_000_000)
        return _REPORT.pack(
            _VERSION,
            _SENDER_REPORT,
            _SENDER_REPORT_WORDS,
            self._source,
            (seconds + _EPOCH_S) & 0xFFFFFFFF,
            (rest_us << 32) // 1_000_000,
            self._timestamp_of(pts_ns),
            self._packets & 0xFFFFFFFF,
            self._payload_bytes & 0xFFFFFFFF,
        )

    def _timestamp_of(self, pts_ns: int) -> int:
        if self._first_ns < 0:
            self._first_ns = pts_ns
        passed = (pts_ns - self._first_ns) * self._rate_hz
        ticks = (passed + NS_PER_S // 2) // NS_PER_S
        return (self.first_timestamp + ticks) & 0xFFFFFFFF


class Packetiser(Track):
    """Makes packets of the pictures of one stream."""

    def __init__(self) -> None:
        super().__init__(PAYLOAD_TYPE, RATE_HZ)

    def packets(self, unit: bytes, pts_ns: int) -> list[bytes]:
        """Return the packets of a picture.

        Args:
            unit: An access unit, Annex B.
            pts_ns: When it is shown, on any clock; it always grows.
        """
        payloads = [part for nal in split(unit) for part in _payloads_of(nal)]
        return self._pack(payloads, pts_ns)


class AudioPacketiser(Track):
    """Makes packets of AAC; each holds one of its own, however large.

    Args:
        rate_hz: Samples a second.
        channels: 1 or 2.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        super().__init__(AUDIO_PAYLOAD_TYPE, rate_hz)
        self._shape = rate_hz, channels

    def packets(self, data: bytes, pts_ns: int) -> list[bytes]:
        """Return the packet of raw AAC that is heard at a time."""
        head = _UNITS.pack(_UNIT_HEAD_BITS, len(data) << _UNIT_INDEX_BITS)
        return self._pack([head + data], pts_ns)

    def describe(self) -> list[str]:
        """Return what a session description says of it (RFC 3640, 4.1)."""
        rate_hz, channels = self._shape
        kind = AUDIO_PAYLOAD_TYPE
        setup = setup_of(rate_hz, channels).hex().upper()
        mode = "streamtype=5;profile-level-id=1;mode=AAC-hbr"
        lengths = "sizelength=13;indexlength=3;indexdeltalength=3"
        return [
            f"m=audio 0 RTP/AVP {kind}",
            f"a=rtpmap:{kind} MPEG4-GENERIC/{rate_hz}/{channels}",
            f"a=fmtp:{kind} {mode};{lengths};config={setup}",
        ]


def split(unit: bytes) -> list[bytes]:
    """Return the NAL units of an access unit (Annex B), without start codes."""
    # A NAL unit ends without zeros (H.264, 7.4.1): any are of the next start code.
    parts = [part.rstrip(b"\0") for part in unit.split(b"\0\0\1")]
    return [part for part in parts if part]


def find_parameter_sets(unit: bytes) -> ParameterSets | None:
    """Return the parameter sets before a keyframe; None where there are none."""
    by_type = {nal[0] & _TYPE: nal for nal in split(unit)}
    sequence = by_type.get(_SEQUENCE_PARAMETERS)
    picture = by_type.get(_PICTURE_PARAMETERS)
    return ParameterSets(sequence, picture) if sequence and picture else None


def _payloads_of(nal: bytes) -> list[bytes]:
    """Return a NAL unit as it is, or in fragments if it is large."""
    if len(nal) <= MOST_PAYLOAD_BYTES:
        return [nal]
    indicator, kind = nal[0] & _IMPORTANCE | _FRAGMENT, nal[0] & _TYPE
    step = MOST_PAYLOAD_BYTES - 2
    starts = range(1, len(nal), step)
    return [
        bytes((indicator, kind | _mark(start, starts))) + nal[start : start + step]
        for start in starts
    ]


def _mark(start: int, starts: range) -> int:
    if start == starts[0]:
        return _FIRST_FRAGMENT
    return _LAST_FRAGMENT if start == starts[-1] else 0
