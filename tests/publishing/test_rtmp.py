"""RTMP's session, heard twice: by control, and again by the worker it hands it to."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.errors import PublisherError
from ooblexd.publishing import Refusal, Wish
from ooblexd.publishing.amf import Said, format_values, read_values
from ooblexd.publishing.chunks import ChunkReader, Message, format_message
from ooblexd.publishing.rtmp import RtmpSession

GREETING = b"\x03" + bytes(4) + bytes(4) + b"r" * 1528 + b"c" * 1536


def command(name: str, number: float, *words: Said) -> bytes:
    body = format_values([name, number, *words])
    return format_message(Message(20, 0, 0, body), 3)


def asking(app: str, key: str) -> bytes:
    return (
        GREETING
        + command("connect", 1.0, {"app": app, "tcUrl": f"rtmp://box/{app}"})
        + command("releaseStream", 2.0, None, key)
        + command("createStream", 4.0, None)
        + command("publish", 5.0, None, key, "live")
    )


def heard(data: bytes) -> RtmpSession:
    session = RtmpSession()
    session.receive(data)
    return session


def statuses(output: bytes) -> list[object]:
    found = [m for m in ChunkReader(1 << 16).read(output) if m.kind == 20]
    return [read_values(message.body) for message in found]


@pytest.mark.parametrize(
    ("app", "key", "wish"),
    [
        ("live", "door", Wish("live/door")),
        ("live", "door?token=abc", Wish("live/door", "abc")),
        ("live?token=abc", "door", Wish("live/door", "abc")),
        ("live?token=abc", "door?token=x", Wish("live/door", "x")),
        ("door", "", Wish("door")),
        ("live/", "/door/", Wish("live/door")),
    ],
)
def test_a_publisher_may_say_it_in_several_ways(app: str, key: str, wish: Wish) -> None:
    assert heard(asking(app, key)).wish == wish


def test_what_is_heard_again_is_the_same_and_what_follows_is_not_lost() -> None:
    video = format_message(Message(9, 40, 1, b"\x17\x01picture"), 4)
    transcript = asking("live", "door") + video[:7]
    session = heard(transcript)
    session.take_output()

    session.accept()
    messages = [*session.read(b""), *session.read(video[7:])]

    assert messages == [Message(9, 40, 1, b"\x17\x01picture")]
    (started,) = statuses(session.take_output())
    assert "NetStream.Publish.Start" in str(started)


@pytest.mark.parametrize(
    ("is_of_key", "code"),
    [(True, "NetStream.Publish.Denied"), (False, "NetStream.Publish.Rejected")],
)
def test_a_refusal_says_why(*, is_of_key: bool, code: str) -> None:
    session = heard(asking("live", "door"))
    session.take_output()

    session.refuse(Refusal("the key is wrong", is_of_key=is_of_key))

    (status,) = statuses(session.take_output())
    assert code in str(status)
    assert "the key is wrong" in str(status)


def test_receipt_is_acknowledged() -> None:
    session = heard(asking("live", "door"))
    session.accept()
    session.take_output()
    sound = format_message(Message(8, 0, 1, bytes(10_000)), 4)

    for _ in range(130):
        list(session.read(sound))

    kinds = [
        message.kind for message in ChunkReader(1 << 16).read(session.take_output())
    ]
    assert kinds == [3]


@pytest.mark.parametrize("goodbye", ["FCUnpublish", "deleteStream"])
def test_a_goodbye_is_noticed(goodbye: str) -> None:
    session = heard(asking("live", "door"))
    session.accept()

    list(session.read(command(goodbye, 6.0, None, 1.0)))

    assert session.has_left


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "no RTMP"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "no RTMP"),  # TLS
        (GREETING + command("play", 2.0, None, "door"), "wish to watch"),
        (GREETING + b"\x03" + bytes(3) + b"\xff\xff\xff\x14" + bytes(4), "bytes"),
    ],
    ids=["http", "tls", "viewer", "giant"],
)
def test_who_is_no_publisher_is_told_from_one(data: bytes, reason: str) -> None:
    with pytest.raises(PublisherError, match=reason):
        heard(data)


@given(st.binary(max_size=2000))
def test_noise_behind_a_good_greeting_is_no_bug(noise: bytes) -> None:
    with contextlib.suppress(PublisherError):
        heard(GREETING + noise)
