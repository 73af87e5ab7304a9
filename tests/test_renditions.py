from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.detection import MOST_DETECTIONS_BYTES
from ooblexd.frame import HEADER_BYTES, FrameHeader, unpack_header
from ooblexd.renditions import (
    AS_IT_IS,
    MOST_RENDITIONS,
    Rendition,
    of_key,
    pack_table,
    rounded,
    unpack_table,
)

wishes = st.builds(
    rounded,
    st.just(0) | st.integers(16, 8192),
    st.just(0) | st.integers(1, 100),
)


def test_nearly_the_same_is_the_same() -> None:
    assert rounded(320, 0) == rounded(325, 0) == rounded(313, 0) == Rendition(320)
    assert rounded(0, 61) == rounded(0, 58) == Rendition(0, 60)
    assert rounded(16, 1) == Rendition(32, 5)
    assert rounded(0, 0) == AS_IT_IS


@given(st.lists(wishes, max_size=MOST_RENDITIONS), st.data())
def test_what_was_said_of_a_slot_is_read(
    found: list[Rendition], data: st.DataObject
) -> None:
    table = [(one, data.draw(st.integers(0, 2**31))) for one in found if one.key]
    slot = memoryview(bytearray(HEADER_BYTES))
    header = FrameHeader(
        *(2**63, 2**31, 2**31, 2**62),
        steps_ns=(2**62,) * 6,
        detections=b"\xff" * MOST_DETECTIONS_BYTES,
    )
    header.pack_into(slot)

    pack_table(slot, table)

    assert unpack_table(slot) == table
    assert unpack_header(slot) == header


@given(wishes)
def test_a_key_stands_for_one_rendition(wish: Rendition) -> None:
    assert of_key(wish.key) == wish
