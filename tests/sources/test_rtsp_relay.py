"""A camera's picture does not wait for the next one, and nothing else is changed."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.pixels import new_planes
from ooblexd.sources import open_source
from ooblexd.sources.options import SourceOptions
from ooblexd.sources.pixelclock import read_stamp
from ooblexd.sources.rtsp_relay import Delimiting
from tests.support.numbered import make_units, numbered_camera

if TYPE_CHECKING:
    from pathlib import Path

SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
DESCRIBED = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: %d\r\n\r\n%s" % (
    len(SDP),
    SDP,
)
SLICE, DELIMITER = b"\x65picture", b"\x09\xf0"
RTCP = b"$\x01\x00\x08\x80\xc8\x00\x06\x01\x02\x03\x04"


def packet(number: int, at: int, *, ends: bool, kind: int = 96) -> bytes:
    marked = kind | (0x80 if ends else 0)
    rtp = struct.pack(">BBHII", 0x80, marked, number & 0xFFFF, at, 7) + SLICE
    return b"$" + struct.pack(">BH", 0, len(rtp)) + rtp


def stream(pictures: int, first: int = 0) -> bytes:
    """Return pictures of two packets each, the second of them marked."""
    return b"".join(
        packet(first + 2 * n + half, 3000 * n, ends=bool(half))
        for n in range(pictures)
        for half in (0, 1)
    )


def packets_of(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return sequence, time and payload of each RTP packet."""
    found, at = [], 0
    while at < len(data):
        _, channel, length = struct.unpack_from(">cBH", data, at)
        if channel == 0:
            _, _, number, when, _ = struct.unpack_from(">BBHII", data, at + 4)
            found.append((number, when, data[at + 16 : at + 4 + length]))
        at += 4 + length
    return found


def passed_on(data: bytes) -> bytes:
    delimiting = Delimiting()
    assert delimiting.feed(DESCRIBED) == DESCRIBED
    return delimiting.feed(data)


def test_an_end_follows_each_picture_once_the_marker_is_believed() -> None:
    packets = packets_of(passed_on(stream(8)))

    payloads = [payload for _, _, payload in packets]
    assert payloads == [SLICE] * 12 + [DELIMITER, SLICE, SLICE] * 2 + [DELIMITER]


@pytest.mark.parametrize("first", [0, 65_520])
def test_what_is_passed_on_is_numbered_without_a_gap(first: int) -> None:
    numbers = [number for number, _, _ in packets_of(passed_on(stream(30, first)))]

    assert numbers == [(first + n) & 0xFFFF for n in range(len(numbers))]


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(0, 12))
def test_pieces_in_which_it_comes_make_no_difference(
    sizes: list[int], pictures: int
) -> None:
    data = DESCRIBED + RTCP + stream(pictures) + RTCP
    whole, delimiting, at, pieces = Delimiting().feed(data), Delimiting(), 0, b""
    for size in [*sizes, len(data)]:
        pieces += delimiting.feed(data[at : at + size])
        at += size

    assert pieces == whole


def test_a_marker_that_is_not_the_end_is_believed_no_more() -> None:
    liar = stream(6) + packet(12, 18_000, ends=True) + packet(13, 18_000, ends=True)
    later = b"".join(packet(14 + n, 21_000 + 3000 * n, ends=True) for n in range(9))

    payloads = [payload for _, _, payload in packets_of(passed_on(liar + later))]

    assert payloads[-10:] == [SLICE] * 10
    assert payloads.count(DELIMITER) == 2


@pytest.mark.parametrize(
    "said",
    [
        b"RTSP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        RTCP,
        b"".join(packet(n, n, ends=True, kind=97) for n in range(20)),
        b"$\x00\x00\x03abc",
        b"\x00\x01 no RTSP at all $$$",
        b"HTTP/1.1 400 Bad Request\r\n\r\n\x00garbage",
        b"A" * 70_000,
    ],
)
def test_whatever_else_is_said_is_passed_on_as_it_is(said: bytes) -> None:
    assert passed_on(said) == said


@given(st.binary(max_size=300))
def test_no_noise_breaks_it(noise: bytes) -> None:
    delimiting = Delimiting()
    out = delimiting.feed(DESCRIBED) + delimiting.feed(noise)

    assert len(out) <= len(DESCRIBED) + len(noise) + 18 * len(noise)


@pytest.mark.parametrize("kind", ["264", "265"])
def test_a_picture_is_there_before_the_camera_sends_the_next(
    tmp_path: Path, kind: str
) -> None:
    units = make_units(tmp_path, kind, size=(320, 180), count=40)
    planes, seen = new_planes(320, 180), []
    with numbered_camera(units, fps=10) as camera:
        source = open_source(camera.url, SourceOptions(read_timeout_s=10))
        for _ in range(20):
            picture = source.read()
            at_us = time.time_ns() // 1000
            picture.copy_to(planes)
            mark = read_stamp(planes.y)
            assert mark is not None
            seen.append((mark.sequence, at_us))
        source.close()
        ages_ms = camera.ages_ms(seen)

    # The first ones show that the camera's marker is to be believed.
    assert sum(age_ms < 100 for age_ms in ages_ms) >= 12


def test_what_is_relayed_decodes_as_what_is_not(tmp_path: Path) -> None:
    units = make_units(tmp_path, "264", size=(320, 180), count=40)
    seen: set[int] = set()
    with numbered_camera(units, fps=60) as camera:
        source = open_source(camera.url, SourceOptions(read_timeout_s=10))
        planes = new_planes(320, 180)
        while len(seen) < camera.units:  # a busy machine passes some over
            source.read().copy_to(planes)
            mark = read_stamp(planes.y)
            assert mark is not None, "a damaged picture"
            seen.add(mark.sequence)
        source.close()
