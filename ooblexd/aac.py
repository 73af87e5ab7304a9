"""AAC as it travels here: raw packets, and beside them what they are like.

What all players take is *plain*: the low-complexity profile, 1024 samples a packet, one
channel or two. MPEG-TS has a head before each packet (ADTS), which is taken off where
sound comes in.

Source: ISO/IEC 14496-3 (1.6.2.1, 4.4.1), ISO/IEC 13818-7 (6.2).
"""

from __future__ import annotations

from typing import NamedTuple

PACKET_SAMPLES = 1024
MOST_CHANNELS = 2

SILENCE = {1: bytes.fromhex("01182007"), 2: bytes.fromhex("211004608c1c")}
"""A packet in which nothing is heard, by channels, at any rate; FFmpeg made them."""

_RATES_HZ = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000),
    *(22_050, 16_000, 12_000, 11_025, 8_000, 7_350),
)
_LEAST_RATE_HZ = 11_025  # parts of HLS are cut between packets, and these are shorter
_LOW_COMPLEXITY, _SBR, _PS = 2, 5, 29
_KINDS = {
    1: "AAC Main",
    2: "AAC-LC",
    3: "AAC-SSR",
    4: "AAC-LTP",
    5: "HE-AAC",
    17: "AAC-LC",
    23: "AAC-LD",
    29: "HE-AAC v2",
    39: "AAC-ELD",
    42: "xHE-AAC",
}
_DECODED = frozenset({1, 2, 4, 5, 17, 23, 29, 39})  # by FFmpeg
_ESCAPE_KIND, _ESCAPE_RATE = 31, 15
_SETUP_BYTES = 2  # what follows only adds to it
_ADTS_BYTES, _ADTS_CRC_BYTES = 7, 2
_SYNC, _SYNC_BITS = 0xFFF0, 0xFFF6  # between them the version, which says nothing


def is_plain(setup: bytes) -> bool:
    """Say whether every player takes it.

    Args:
        setup: An AudioSpecificConfig.
    """
    if len(setup) < _SETUP_BYTES:
        return False
    kind, rate, channels = _read(setup)
    is_short = bool(setup[1] & 4)  # 960 samples
    is_known = rate < len(_RATES_HZ) and _RATES_HZ[rate] >= _LEAST_RATE_HZ
    is_usual = kind == _LOW_COMPLEXITY and 1 <= channels <= MOST_CHANNELS
    return is_usual and is_known and not is_short


def shape_of(setup: bytes) -> tuple[int, int]:
    """Return rate in Hz and channels of what is plain."""
    _, rate, channels = _read(setup)
    return _RATES_HZ[rate], channels


def setup_of(rate_hz: int, channels: int) -> bytes:
    """Return the AudioSpecificConfig of what is plain."""
    word = _LOW_COMPLEXITY << 11 | _RATES_HZ.index(rate_hz) << 7 | channels << 3
    return word.to_bytes(_SETUP_BYTES, "big")


class Setup(NamedTuple):
    """What an AudioSpecificConfig says.

    Attributes:
        name: Of the profile, as encoders call it.
        rate_hz: Samples a second, as they are heard.
        channels: As it says, 1 of HE-AAC v2, which are heard as 2; 0 where it does not.
        is_decoded: FFmpeg can.
    """

    name: str
    rate_hz: int
    channels: int
    is_decoded: bool


def read_setup(setup: bytes) -> Setup | None:
    """Return what an AudioSpecificConfig says; None where it is none."""
    bits = _Bits(setup)
    kind, rate_hz = bits.take_kind(), bits.take_rate()
    channels = bits.take(4)
    if kind in (_SBR, _PS):
        rate_hz = bits.take_rate()
    if not kind or not rate_hz or bits.is_over:
        return None
    name = _KINDS.get(kind, f"AAC of object type {kind}")
    return Setup(name, rate_hz, channels, kind in _DECODED)


def without_heads(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the setup and the raw packet of each packet with an ADTS head.

    Returns:
        Nothing where this is not what ``data`` consists of.
    """
    found = []
    while data:
        length = int.from_bytes(data[3:6], "big") >> 5 & 0x1FFF
        one = without_head(data[:length])
        if one is None or length > len(data):
            return []
        found.append(one)
        data = data[length:]
    return found


def has_head(packet: bytes) -> bool:
    """Say whether a packet begins with an ADTS head, which a raw one does not."""
    return int.from_bytes(packet[:2], "big") & _SYNC_BITS == _SYNC


def without_head(packet: bytes) -> tuple[bytes, bytes] | None:
    """Return the setup that an ADTS head stands for, and the raw packet behind it.

    Returns:
        None where there is no such head, several packets are behind one, or it does
        not say how many channels there are.
    """
    if not has_head(packet) or len(packet) <= _ADTS_BYTES or packet[6] & 3:
        return None
    kind, rate = (packet[2] >> 6) + 1, packet[2] >> 2 & 15
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    if not channels:
        return None  # they are told inside the packet
    setup = (kind << 11 | rate << 7 | channels << 3).to_bytes(_SETUP_BYTES, "big")
    has_crc = not packet[1] & 1
    return setup, packet[_ADTS_BYTES + _ADTS_CRC_BYTES * has_crc :]


def _read(setup: bytes) -> tuple[int, int, int]:
    """Return object type, index of the rate, and channels."""
    word = int.from_bytes(setup[:_SETUP_BYTES], "big")
    return word >> 11, word >> 7 & 15, word >> 3 & 15


class _Bits:
    """Reads a setup bit by bit."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    @property
    def is_over(self) -> bool:
        return self._at > len(self._bits)

    def take(self, count: int) -> int:
        piece = self._bits[self._at : self._at + count]
        self._at += count
        return int(piece or "0", 2)

    def take_kind(self) -> int:
        kind = self.take(5)
        return 32 + self.take(6) if kind == _ESCAPE_KIND else kind

    def take_rate(self) -> int:
        index = self.take(4)
        if index == _ESCAPE_RATE:
            return self.take(24)
        return _RATES_HZ[index] if index < len(_RATES_HZ) else 0
