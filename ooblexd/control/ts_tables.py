"""What an MPEG-TS says it consists of, where sound is muxed beside the pictures.

Each has a muxer of its own, which writes tables as if there were nothing else. Those of
the sound are left out, and those of the pictures are told of it. Packets that are left
out must not be missed either: to FFmpeg the picture before them would be corrupt.

Source: ISO/IEC 13818-1 (2.4.3, 2.4.3.3 on the continuity counter, 2.4.4.8, annex A).
"""

from __future__ import annotations

from functools import lru_cache

AUDIO_PID = 0x101
"""FFmpeg's for what comes second; `ooblexd.muxer` has it too."""

PACKET_BYTES = 188
_HEAD_BYTES = 4
_MAP_PID = 0x1000  # FFmpeg's, for the only programme
_TABLE_PIDS = (0x0000, 0x0011, _MAP_PID)
_AAC = 0x0F  # a stream type: with ADTS heads
_BEGINS, _PID, _RESERVED = 0x40, 0x1FFF, 0xE000
_HAS_PAYLOAD, _COUNTER = 0x10, 0x0F
_SECTION_AT, _LENGTH_AT = 5, 6  # behind the head and a pointer of 0
_LENGTH, _LENGTH_BYTES = 0x0FFF, 3
_CRC_BYTES = 4
_POLYNOMIAL = 0x04C11DB7


class Continuity:
    """Counts the packets of one viewer as if it had got all that were muxed."""

    def __init__(self) -> None:
        self._due: dict[int, int] = {}

    def counted(self, data: bytes) -> bytes:
        """Return whole packets, each with the number that is due of its PID."""
        mended = bytearray(data)
        heads = zip(*(data[at::PACKET_BYTES] for at in (1, 2, 3)), strict=True)
        for number, (high, low, last) in enumerate(heads):
            pid = (high << 8 | low) & _PID
            if last & _HAS_PAYLOAD:
                count = self._due.get(pid, last)
                self._due[pid] = count + 1
            else:  # it has the number of the one before
                count = self._due.get(pid, last + 1) - 1
            mended[number * PACKET_BYTES + 3] = last & ~_COUNTER | count & _COUNTER
        return bytes(mended)


def without_tables(data: bytes) -> bytes:
    """Return packets but for those of tables."""
    return b"".join(one for one in _split(data) if _pid_of(one) not in _TABLE_PIDS)


def with_sound(data: bytes) -> bytes:
    """Return packets in which each map of the programme has a track of AAC more.

    Args:
        data: Whole packets, as FFmpeg writes them for pictures alone.
    """
    return b"".join(
        _told(one) if _pid_of(one) == _MAP_PID and one[1] & _BEGINS else one
        for one in _split(data)
    )


def _told(packet: bytes) -> bytes:
    length = int.from_bytes(packet[_LENGTH_AT : _LENGTH_AT + 2], "big")
    end = _SECTION_AT + _LENGTH_BYTES + (length & _LENGTH) - _CRC_BYTES
    track = bytes((_AAC,)) + (_RESERVED | AUDIO_PID).to_bytes(2, "big") + b"\xf0\x00"
    section = bytearray(packet[_SECTION_AT:end] + track)
    section[1:3] = (length + len(track)).to_bytes(2, "big")
    told = (
        packet[:_SECTION_AT]
        + section
        + _crc(bytes(section)).to_bytes(_CRC_BYTES, "big")
    )
    return told.ljust(PACKET_BYTES, b"\xff")


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET_BYTES] for at in range(0, len(data), PACKET_BYTES)]


def _pid_of(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & _PID


@lru_cache(8)  # the table hardly ever changes, and comes with each picture
def _crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (_POLYNOMIAL if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc
