"""The header of a frame, and its ledger."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.detection import MOST_DETECTIONS_BYTES
from ooblexd.frame import (
    HEADER_BYTES,
    USED_BYTES,
    FrameHeader,
    Matrix,
    PixelFormat,
    Step,
    Verdict,
    i420_bytes,
    unpack_header,
)

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
ROOM = 64

HEADERS = st.builds(
    FrameHeader,
    sequence=U64,
    width=U32,
    height=U32,
    capture_ns=I64,
    generation=U64,
    payload_bytes=st.integers(0, ROOM),
    pixel_format=st.sampled_from(PixelFormat),
    full_range=st.booleans(),
    matrix=st.sampled_from(Matrix),
    verdict=st.sampled_from(Verdict),
    pts_ns=I64,
    revision=U64,
    scene=U64,
    is_keyframe=st.booleans(),
    detections=st.none() | st.binary(max_size=MOST_DETECTIONS_BYTES),
    steps_ns=st.tuples(*[I64] * len(Step)),
)


def slot() -> memoryview:
    return memoryview(bytearray(HEADER_BYTES + ROOM))


@given(HEADERS)
def test_a_header_is_read_as_it_was_written(header: FrameHeader) -> None:
    memory = slot()

    header.pack_into(memory)

    assert unpack_header(memory) == header


@given(HEADERS)
def test_a_header_leaves_the_payload_alone(header: FrameHeader) -> None:
    memory = slot()
    memory[HEADER_BYTES:] = bytes(range(ROOM))

    header.pack_into(memory)

    assert bytes(memory[HEADER_BYTES:]) == bytes(range(ROOM))


@given(HEADERS)
def test_a_header_leaves_the_table_at_its_end_alone(header: FrameHeader) -> None:
    memory = slot()
    memory[USED_BYTES:HEADER_BYTES] = b"t" * (HEADER_BYTES - USED_BYTES)

    header.pack_into(memory)

    assert set(memory[USED_BYTES:HEADER_BYTES]) == {ord("t")}


def test_more_detections_than_a_header_holds_are_refused() -> None:
    memory = slot()
    FrameHeader(1, 2, 2, capture_ns=3).pack_into(memory)
    too_many = MOST_DETECTIONS_BYTES + 1
    struct.pack_into("<H", memory, USED_BYTES - MOST_DETECTIONS_BYTES - 2, too_many)

    with pytest.raises(ValueError, match=f"{too_many} bytes of detections"):
        unpack_header(memory)


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES + ROOM))
def test_any_bytes_are_a_header_or_a_value_error(content: bytes) -> None:
    try:
        header = unpack_header(memoryview(content))
    except ValueError:
        return
    assert HEADER_BYTES + header.payload_bytes <= len(content)


@given(HEADERS, st.integers(0, HEADER_BYTES - 1), st.integers(0, 255))
def test_a_damaged_header_is_a_header_or_a_value_error(
    header: FrameHeader, place: int, value: int
) -> None:
    memory = slot()
    header.pack_into(memory)
    memory[place] = value

    try:
        read = unpack_header(memory)
    except ValueError:
        return
    assert HEADER_BYTES + read.payload_bytes <= len(memory)


@given(st.binary(max_size=HEADER_BYTES - 1))
def test_memory_too_small_for_a_header_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        unpack_header(memoryview(content))


def test_a_payload_larger_than_its_slot_is_refused_with_both_sizes() -> None:
    memory = slot()
    FrameHeader(1, 2, 2, capture_ns=3, payload_bytes=ROOM + 1).pack_into(memory)

    with pytest.raises(
        ValueError, match=f"{ROOM + 1} bytes in a slot of {len(memory)}"
    ):
        unpack_header(memory)


def test_another_version_of_the_header_is_refused() -> None:
    memory = slot()
    FrameHeader(1, 2, 2, capture_ns=3).pack_into(memory)
    struct.pack_into("<H", memory, 4, 99)

    with pytest.raises(ValueError, match="version 99"):
        unpack_header(memory)


def test_a_step_is_written_once_into_the_ledger() -> None:
    header = FrameHeader(1, 2, 2, capture_ns=3)

    stamped = header.stamped(Step.PICKED, 77)

    assert stamped.steps_ns[Step.PICKED] == 77
    assert sum(stamped.steps_ns) == 77
    assert sum(header.steps_ns) == 0


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(2, 2, 6), (1280, 720, 1_382_400), (3, 3, 17), (1, 1, 3), (641, 361, 347_603)],
)
def test_chroma_planes_of_odd_sizes_round_up(
    width: int, height: int, size: int
) -> None:
    assert i420_bytes(width, height) == size
