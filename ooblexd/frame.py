"""What travels: the header of a frame, and the ledger of its way.

A slot of a ring is one header of ``HEADER_BYTES`` and, behind it, the payload: the
planes of an I420 picture, or the bytes of an encoded one. The ring itself carries
bytes and knows none of this.

The header is also the frame's ledger: every stage adds the monotonic time of the steps
it made, so that whoever holds a frame can say where its age comes from.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field, replace

from ooblexd.detection import MOST_DETECTIONS_BYTES

HEADER_BYTES = 1024  # the last ones are a table, see `renditions`
_MAGIC = 0x4F4F4246  # "OOBF"
_VERSION = 4


class PixelFormat(enum.IntEnum):
    """What the payload of a slot is."""

    NONE = 0  # a verdict without a picture
    I420 = 1  # planar YUV 4:2:0, three planes behind one another
    JPEG = 2
    FILE = 3  # a JPEG, PNG or WebP as a client sent it; nobody has looked into it
    H264 = 4  # one access unit, Annex B; a keyframe has its parameter sets before it


class Matrix(enum.IntEnum):
    """Which coefficients turn YUV into RGB (ITU-R BT.601 or BT.709)."""

    BT601 = 1
    BT709 = 2


class Verdict(enum.IntEnum):
    """What a picture is, as ``X-Picture`` names it.

    ``LIVE`` has passed its whole chain. The inference worker says ``HELD`` or
    ``COVERED`` where an effect failed or is not warm, and such a frame has no payload:
    output repeats the last protected picture, or makes a cover of it.
    """

    LIVE = 1
    HELD = 2
    COVERED = 3
    SLATE = 4


class Step(enum.IntEnum):
    """The steps of a frame's ledger, in their order."""

    DECODED = 0
    INGESTED = 1  # published in the raw ring
    PICKED = 2  # taken by the inference worker
    PROCESSED = 3  # published in the processed ring
    TAKEN = 4  # taken by output
    ENCODED = 5  # published in the encoded ring


_NO_STEPS = (0,) * len(Step)
_NOT_LOOKED = 0xFFFF  # in place of how many bytes of detections there are
_STRUCT = struct.Struct("<IHHQQIIIBBBBqqQQ" + "q" * len(Step) + "H")
USED_BYTES = _STRUCT.size + MOST_DETECTIONS_BYTES
assert USED_BYTES <= HEADER_BYTES


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """One frame's identity, geometry and ledger.

    Attributes:
        sequence: Number of the source frame within its stream, from 0, never reused.
        generation: Which life of the ingest worker made it.
        width: In pixels, of the picture; odd sizes are allowed.
        height: In pixels.
        payload_bytes: Behind the header; 0 for a verdict without a picture.
        pixel_format: What the payload is.
        full_range: Luma is 0..255 where true (JPEG cameras), 16..235 where false.
        matrix: The YUV coefficients of the source.
        verdict: What the chain of effects made of the frame.
        pts_ns: The source's own presentation time, in ns from its start; of H.264 the
            encoder's, which always grows.
        capture_ns: Monotonic time at which the source handed the picture over.
        revision: The configuration revision whose chain the frame has passed.
        scene: Which view of which source it is; what was tracked in another scene
            says nothing about this one.
        is_keyframe: Whether H.264 can be decoded from here on without what was before.
        detections: What was found in the picture, packed (`ooblexd.detection`); None
            where nobody has looked, or where it is another picture that is shown.
        steps_ns: Monotonic time of each `Step`; 0 where the frame was not there yet.
    """

    sequence: int
    width: int
    height: int
    capture_ns: int
    generation: int = 0
    payload_bytes: int = 0
    pixel_format: PixelFormat = PixelFormat.I420
    full_range: bool = False
    matrix: Matrix = Matrix.BT601
    verdict: Verdict = Verdict.LIVE
    pts_ns: int = 0
    revision: int = 0
    scene: int = 0
    is_keyframe: bool = False
    detections: bytes | None = None
    steps_ns: tuple[int, ...] = field(default=_NO_STEPS)

    def stamped(self, step: Step, at_ns: int) -> FrameHeader:
        """Return the header with ``step`` written into its ledger."""
        steps = list(self.steps_ns)
        steps[step] = at_ns
        return replace(self, steps_ns=tuple(steps))

    def pack_into(self, slot: memoryview) -> None:
        """Write the header to the start of ``slot``."""
        found = self.detections
        found_bytes = _NOT_LOOKED if found is None else len(found)
        _STRUCT.pack_into(
            slot,
            0,
            _MAGIC,
            _VERSION,
            self.is_keyframe,
            self.sequence,
            self.generation,
            self.width,
            self.height,
            self.payload_bytes,
            self.pixel_format,
            self.full_range,
            self.matrix,
            self.verdict,
            self.pts_ns,
            self.capture_ns,
            self.revision,
            self.scene,
            *self.steps_ns,
            found_bytes,
        )
        if found:
            assert found_bytes <= MOST_DETECTIONS_BYTES
            slot[_STRUCT.size : _STRUCT.size + found_bytes] = found


def unpack_header(slot: memoryview) -> FrameHeader:
    """Read the header at the start of ``slot``.

    Raises:
        ValueError: The bytes are not a header of this version, or name a payload that
            the slot, or detections that the header, cannot hold.
    """
    if len(slot) < HEADER_BYTES:
        raise ValueError(f"no frame header in {len(slot)} bytes")
    fields = _STRUCT.unpack_from(slot, 0)
    if fields[0] != _MAGIC or fields[1] != _VERSION:
        raise ValueError(f"no frame header: magic {fields[0]:#x}, version {fields[1]}")
    header = FrameHeader(
        sequence=fields[3],
        generation=fields[4],
        width=fields[5],
        height=fields[6],
        payload_bytes=fields[7],
        pixel_format=PixelFormat(fields[8]),
        full_range=bool(fields[9]),
        matrix=Matrix(fields[10]),
        verdict=Verdict(fields[11]),
        pts_ns=fields[12],
        capture_ns=fields[13],
        revision=fields[14],
        scene=fields[15],
        is_keyframe=bool(fields[2]),
        steps_ns=tuple(fields[16:-1]),
        detections=_detections(slot, fields[-1]),
    )
    if HEADER_BYTES + header.payload_bytes > len(slot):
        raise ValueError(
            f"payload of {header.payload_bytes} bytes in a slot of {len(slot)}"
        )
    return header


def _detections(slot: memoryview, found_bytes: int) -> bytes | None:
    if found_bytes == _NOT_LOOKED:
        return None
    if found_bytes > MOST_DETECTIONS_BYTES:
        raise ValueError(f"{found_bytes} bytes of detections in a header")
    return bytes(slot[_STRUCT.size : _STRUCT.size + found_bytes])


def i420_bytes(width: int, height: int) -> int:
    """Return the size of an I420 picture; chroma planes of odd sizes round up."""
    return width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)


def may_show(
    header: FrameHeader, required_revision: int, max_age_ns: int, now_ns: int
) -> bool:
    """Say whether a picture may be sent now.

    Covers and slates always may: they show nothing that any effect protects. A live
    picture must be young; a held one is old by intention, so what counts is when output
    last stood by it.
    """
    if header.verdict in (Verdict.COVERED, Verdict.SLATE):
        return True
    if header.revision < required_revision:
        return False
    is_held = header.verdict == Verdict.HELD
    since_ns = header.steps_ns[Step.ENCODED] if is_held else header.capture_ns
    return now_ns - since_ns <= max_age_ns
