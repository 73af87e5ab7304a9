"""RTSP's session, heard twice: by control, and again by the worker it hands it to."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.errors import PublisherError
from ooblexd.publishing import Refusal, Wish, hear_again
from ooblexd.publishing.rtsp import Request, RtspSession

URL = "rtsp://box:8554/yard/door"
SDP = (
    "v=0\r\no=- 0 0 IN IP4 203.0.113.9\r\ns=x\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n"
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/48000\r\n"
    "a=control:streamid=0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\n"
    "a=control:streamid=1\r\n"
)


def request(method: str, url: str, *headers: str, body: str = "") -> bytes:
    head = [f"{method} {url} RTSP/1.0", "CSeq: 7", *headers]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", body]).encode()


def set_up(number: int, transport: str) -> bytes:
    return request("SETUP", f"{URL}/streamid={number}", f"Transport: {transport}")


ANNOUNCED = request("OPTIONS", URL) + request("ANNOUNCE", URL, body=SDP)
SET_UP = set_up(0, "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record") + set_up(
    1, "RTP/AVP/TCP;unicast;interleaved=2-3;mode=record"
)


def record(url: str = URL, *headers: str) -> bytes:
    return request("RECORD", url, "Session: 1", *headers)


def heard(data: bytes) -> RtspSession:
    session = RtspSession()
    session.receive(data)
    return session


def login(password: str) -> str:
    return (
        "Authorization: Basic " + base64.b64encode(f"me:{password}".encode()).decode()
    )


@pytest.mark.parametrize(
    ("last", "wish"),
    [
        (record(), Wish("yard/door")),
        (record(f"{URL}?token=abc"), Wish("yard/door", "abc")),
        (record(f"{URL}/?token=abc/"), Wish("yard/door", "abc")),
        (record(URL, login("a:b")), Wish("yard/door", "a:b")),
        (record(URL, "Authorization: Basic \xff"), Wish("yard/door")),
    ],
)
def test_a_publisher_may_say_it_in_several_ways(last: bytes, wish: Wish) -> None:
    assert heard(ANNOUNCED + SET_UP + last).wish == wish


def test_who_wants_to_play_may_only_where_streams_are_played() -> None:
    asked = request("DESCRIBE", f"{URL}/?x=1") + request("SETUP", URL)
    plain, serving = heard(asked), RtspSession(serves_players=True)
    serving.receive(asked)

    assert plain.wish is None
    assert b"RTSP/1.0 405 " in plain.take_output()
    assert serving.wish == Wish("yard/door", is_to_play=True)
    assert serving.take_output() == b""
    first, reader = serving.hand_over()
    assert first.method == "DESCRIBE"
    (second,) = reader.read(b"")
    assert isinstance(second, Request)
    assert second.method == "SETUP"


def test_only_the_video_is_described_and_nobody_s_address() -> None:
    session = heard(ANNOUNCED + SET_UP + record())

    assert session.video_channel == 2
    assert "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000" in session.description
    assert "203.0.113.9" not in session.description
    assert "MPEG4" not in session.description


def test_udp_is_refused_so_that_tcp_is_tried() -> None:
    session = heard(ANNOUNCED + set_up(1, "RTP/AVP/UDP;unicast;client_port=5000-5001"))

    assert b"RTSP/1.0 461 " in session.take_output()


def test_who_was_asked_for_the_key_is_heard_again_to_the_end() -> None:
    packet = b"$\x02\x00\x03abc"
    said = ANNOUNCED + SET_UP + record() + record(URL, login("key")) + packet[:5]
    control = heard(said)
    control.take_output()
    control.refuse(Refusal("the key is missing", is_of_key=True))
    assert (
        b"401 Unauthorized\r\nCSeq: 7\r\nWWW-Authenticate: Basic"
        in control.take_output()
    )

    session = RtspSession()
    hear_again(session, said, 1)
    session.accept()

    assert session.wish == Wish("yard/door", "key")
    assert session.take_output().startswith(b"RTSP/1.0 200 OK\r\n")
    packets = [*session.read(b""), *session.read(packet[5:])]
    assert [(one.channel, one.data) for one in packets if one.data] == [(2, b"abc")]


def test_a_goodbye_is_noticed_and_a_question_answered() -> None:
    session = heard(ANNOUNCED + SET_UP + record())
    session.accept()
    session.take_output()

    list(session.read(request("GET_PARAMETER", URL) + request("TEARDOWN", URL)))

    assert session.has_left
    assert session.take_output().count(b"200 OK") == 2


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (record(), b"455"),
        (set_up(0, "RTP/AVP/TCP"), b"455"),
        (request("DESCRIBE", URL), b"405"),
    ],
)
def test_what_comes_at_the_wrong_time_is_told(said: bytes, status: bytes) -> None:
    assert b"RTSP/1.0 " + status in heard(said).take_output()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"\x03" + bytes(1536), "no RTSP"),
        (b"GET / HTTP/1.1\r\n\r\n", "no RTSP"),
        (b"A" * 9000, "without an end"),
        (b"ANNOUNCE x RTSP/1.0\r\nContent-Length: 99999\r\n\r\n", "too large"),
        (b"ANNOUNCE x RTSP/1.0\r\nContent-Length: -1\r\n\r\n", "too large"),
        (ANNOUNCED + SET_UP + record("rtsp://[yard/door"), "no RTSP"),
        (request("ANNOUNCE", URL, body="v=0\r\nm=audio 0 RTP/AVP 0\r\n"), "without vi"),
    ],
    ids=["rtmp", "http", "endless", "giant", "negative", "address", "sound"],
)
def test_who_is_no_publisher_is_told_from_one(said: bytes, reason: str) -> None:
    with pytest.raises(PublisherError, match=reason):
        heard(said)


@given(st.binary(max_size=1500), st.sampled_from([b"", ANNOUNCED, ANNOUNCED + SET_UP]))
def test_noise_is_no_bug(noise: bytes, before: bytes) -> None:
    with contextlib.suppress(PublisherError):
        heard(before + noise)


@given(st.text(max_size=400))
def test_any_description_is_announced_or_refused(text: str) -> None:
    body = f"m=video {text}"
    length = f"Content-Length: {len(body.encode())}"
    said = f"ANNOUNCE {URL} RTSP/1.0\r\n{length}\r\n\r\n{body}".encode()
    with contextlib.suppress(PublisherError):
        heard(said + SET_UP + record())
