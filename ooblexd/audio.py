"""Sound on its way: packets as the source encoded them, each with its time.

Nothing here alters sound. No effect protects a voice yet, so a stream that is to
protect somebody passes none unless its owner says so (`StreamPlan.passes_audio`).
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from ooblexd.aac import is_plain

SLOT_BYTES = 4096  # AAC: 768 bytes a channel and packet at most; Opus: 1275 a frame
_MAGIC = 0x4F4F4241  # "OOBA"
_STRUCT = struct.Struct("<IBBHIqqQII")


class AudioCodec(enum.IntEnum):
    """How a packet is encoded; the names are FFmpeg's, in lower case."""

    OPUS = 1
    AAC = 2  # raw, its configuration beside it (`ooblexd.aac`)
    PCM_MULAW = 3
    PCM_ALAW = 4

    @classmethod
    def named(cls, name: str) -> AudioCodec | None:
        """Return the codec that FFmpeg calls ``name``; None where we know it not."""
        return cls.__members__.get(name.upper())


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """Sound of a few hundredths of a second.

    Attributes:
        codec: How it is encoded.
        sample_rate: In Hz.
        channels: 1 or 2 as a rule.
        at_ns: When it began, on the clock of the frames' ``capture_ns``.
        duration_ns: 0 where the source does not say.
        setup: What a decoder needs beforehand: AAC's AudioSpecificConfig.
        data: The packet.
        revision: Of the configuration that lets it pass.
    """

    codec: AudioCodec
    sample_rate: int
    channels: int
    at_ns: int
    duration_ns: int
    setup: bytes
    data: bytes
    revision: int = 0

    @property
    def is_plain_aac(self) -> bool:
        """Whether it is AAC that every player takes as it is."""
        return self.codec is AudioCodec.AAC and is_plain(self.setup)

    @property
    def packed_bytes(self) -> int:
        """How much of a slot it takes."""
        return _STRUCT.size + len(self.setup) + len(self.data)

    def pack_into(self, slot: memoryview) -> None:
        """Write the packet to the start of ``slot``, which has room for it."""
        _STRUCT.pack_into(
            slot,
            0,
            _MAGIC,
            self.codec,
            self.channels,
            0,
            self.sample_rate,
            self.at_ns,
            self.duration_ns,
            self.revision,
            len(self.setup),
            len(self.data),
        )
        rest = self.setup + self.data
        slot[_STRUCT.size : _STRUCT.size + len(rest)] = rest


def unpack_audio(slot: memoryview) -> AudioPacket:
    """Read the packet at the start of ``slot``.

    Raises:
        ValueError: The bytes are no packet.
    """
    fields = _STRUCT.unpack_from(slot, 0)
    magic, codec, channels, _, rate, at_ns, duration_ns, revision, *lengths = fields
    setup_end = _STRUCT.size + lengths[0]
    data_end = setup_end + lengths[1]
    if magic != _MAGIC or data_end > len(slot):
        raise ValueError(f"no sound: magic {magic:#x}, {lengths} of {len(slot)} bytes")
    return AudioPacket(
        codec=AudioCodec(codec),
        sample_rate=rate,
        channels=channels,
        at_ns=at_ns,
        duration_ns=duration_ns,
        setup=bytes(slot[_STRUCT.size : setup_end]),
        data=bytes(slot[setup_end:data_end]),
        revision=revision,
    )
