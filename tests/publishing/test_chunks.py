from __future__ import annotations

import contextlib
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.errors import PublisherError
from ooblexd.publishing.chunks import ChunkReader, Message, format_message

MOST = 1 << 16
messages = st.builds(
    Message,
    kind=st.integers(3, 22),
    time_ms=st.integers(0, 0xFFFFFE),
    stream=st.integers(0, 5),
    body=st.binary(max_size=700),
)


def read_in_pieces(data: bytes, cuts: list[int]) -> list[Message]:
    reader = ChunkReader(MOST)
    found: list[Message] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += reader.read(data[start:end])
    return found


@given(
    st.lists(st.tuples(messages, st.integers(2, 40)), max_size=6),
    st.lists(st.integers(0, 5000), max_size=8),
)
def test_messages_are_read_however_the_network_cuts_them(
    said: list[tuple[Message, int]], cuts: list[int]
) -> None:
    data = b"".join(format_message(message, chunk) for message, chunk in said)

    assert read_in_pieces(data, cuts) == [message for message, _ in said]


def test_messages_of_several_chunk_streams_may_alternate() -> None:
    video = format_message(Message(9, 40, 1, b"v" * 200), 4)
    sound = format_message(Message(8, 41, 1, b"s" * 130), 5)
    first = 12 + 128

    data = video[:first] + sound[:first] + video[first:] + sound[first:]

    assert [(m.kind, len(m.body)) for m in read_in_pieces(data, [])] == [
        (9, 200),
        (8, 130),
    ]


def test_heads_that_say_less_go_on_from_those_before() -> None:
    whole = b"\x04" + bytes([0, 0, 100, 0, 0, 2, 9]) + (1).to_bytes(4, "little") + b"ab"
    with_length = b"\x44" + bytes([0, 0, 33, 0, 0, 1, 9]) + b"c"
    with_time = b"\x84" + bytes([0, 0, 34]) + b"d"
    with_nothing = b"\xc4" + b"e"

    found = read_in_pieces(whole + with_length + with_time + with_nothing, [])

    assert [(m.time_ms, m.stream, m.body) for m in found] == [
        (100, 1, b"ab"),
        (133, 1, b"c"),
        (167, 1, b"d"),
        (201, 1, b"e"),
    ]


@pytest.mark.parametrize("repeats", [True, False], ids=["as specified", "as some do"])
def test_after_five_hours_times_no_longer_fit_their_field(*, repeats: bool) -> None:
    late = 0x01000000
    head = b"\x04\xff\xff\xff" + (200).to_bytes(3, "big") + b"\x09" + bytes(4)
    word = late.to_bytes(4, "big")
    body = bytes(range(1, 201))
    data = head + word + body[:128] + b"\xc4" + (word if repeats else b"") + body[128:]

    assert read_in_pieces(data, [3, 14, 150]) == [Message(9, late, 0, body)]


def test_large_chunks_are_understood_once_announced() -> None:
    announced = format_message(Message(1, 0, 0, (60_000).to_bytes(4, "big")), 2)
    head = b"\x04" + bytes(3) + (5000).to_bytes(3, "big") + b"\x09" + bytes(4)

    found = read_in_pieces(announced + head + bytes(5000), [700, 3000])

    assert found == [Message(9, 0, 0, bytes(5000))]


def test_an_abandoned_message_is_forgotten() -> None:
    video = format_message(Message(9, 0, 1, b"v" * 200), 4)
    abort = format_message(Message(2, 0, 0, (4).to_bytes(4, "big")), 2)
    again = format_message(Message(9, 7, 1, b"w" * 200), 4)

    found = read_in_pieces(video[:140] + abort + again, [])

    assert found == [Message(9, 7, 1, b"w" * 200)]


def test_an_announced_length_is_no_reason_to_wait() -> None:
    head = b"\x04" + bytes(3) + (MOST + 1).to_bytes(3, "big") + b"\x09" + bytes(4)

    with pytest.raises(PublisherError, match="a message of 65537 bytes"):
        read_in_pieces(head + bytes(128), [])


def test_many_halves_are_too_much_together() -> None:
    announced = format_message(Message(1, 0, 0, (1 << 24).to_bytes(4, "big")), 2)
    half = bytes(3) + (MOST // 2).to_bytes(3, "big") + b"\x09" + bytes(4)
    size = format_message(Message(1, 0, 0, (MOST // 2 - 1).to_bytes(4, "big")), 2)
    parts = [bytes([n]) + half + bytes(MOST // 2 - 1) for n in (4, 5, 6)]

    with pytest.raises(PublisherError, match="a message of"):
        read_in_pieces(announced + size + b"".join(parts), [])


def test_nobody_has_so_many_chunk_streams() -> None:
    data = b"".join(format_message(Message(9, 0, 1, b"x"), n) for n in range(2, 60))

    with pytest.raises(PublisherError, match="more chunk streams"):
        read_in_pieces(data, [])


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=5))
def test_noise_raises_nothing_else_than_its_error(data: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(PublisherError):
        read_in_pieces(data, cuts)


def test_whatever_is_announced_memory_stays_small() -> None:
    reader = ChunkReader(MOST)
    announced = format_message(Message(1, 0, 0, b"\x7f\xff\xff\xff"), 2)
    head = b"\x04" + bytes(3) + MOST.to_bytes(3, "big") + b"\x09" + bytes(4)
    tracemalloc.start()
    list(reader.read(announced + head))
    for _ in range(12):
        list(reader.read(bytes(10_000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * MOST
