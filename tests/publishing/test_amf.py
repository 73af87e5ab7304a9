from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.errors import PublisherError
from ooblexd.publishing.amf import Said, format_values, read_values

texts = st.text(max_size=40)
numbers = st.floats(allow_nan=False)
values: st.SearchStrategy[Said] = st.recursive(
    st.none() | numbers | texts,
    lambda parts: st.dictionaries(texts.filter(bool), parts, max_size=4),
    max_leaves=6,
)


@given(st.lists(values, max_size=5))
def test_what_is_said_is_heard(said: list[Said]) -> None:
    assert read_values(format_values(said)) == said


@given(st.binary(max_size=300))
def test_no_command_raises_anything_else_than_its_error(data: bytes) -> None:
    with contextlib.suppress(PublisherError):
        read_values(data)


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(PublisherError, match="nested too deeply"):
        read_values(b"\x03\x00\x01a" * 5000)


def test_types_that_only_others_send_are_read() -> None:
    long_text = b"\x0c" + (3).to_bytes(4, "big") + b"abc"
    ecma = b"\x08" + bytes(4) + b"\x00\x01k\x01\x01" + b"\x00\x00\x09"
    array = b"\x0a" + (2).to_bytes(4, "big") + b"\x05\x06"

    assert read_values(long_text + ecma + array) == ["abc", {"k": True}, [None, None]]


def test_an_array_cannot_promise_more_than_it_has() -> None:
    with pytest.raises(PublisherError, match="no AMF0"):
        read_values(b"\x0a\xff\xff\xff\xff\x05")
