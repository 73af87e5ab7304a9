"""What real encoders publish by RTMP, read from their own connection."""

from __future__ import annotations

import contextlib
import itertools
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import monotonic_ns
from ooblexd.errors import SourceUnavailableError, SourceWaitingError
from ooblexd.sources import Source, SourceOptions, open_source
from ooblexd.sources.door import Publisher
from ooblexd.stages.door import Door
from tests.support.publishers import enhanced, ffmpeg, front, gstreamer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.plan import ListenProtocol
    from ooblexd.sources import Picture

URL = "{}-listen://127.0.0.1:1935/cam"


@contextlib.contextmanager
def published(
    protocol: ListenProtocol = "rtmp",
    options: SourceOptions | None = None,
    silence_s: float = 20.0,
) -> Iterator[tuple[Source, str]]:
    """Lend a source, and the URL by which it is published.

    Who publishes is a process of its own, and nothing when it is stopped; so it is
    parted with after ``silence_s``, which is longer than in earnest.
    """
    door = Door()
    options = replace(options or SourceOptions(), door=door)
    source = open_source(URL.format(protocol), options)
    with front(protocol, door) as port, pytest.MonkeyPatch.context() as patch:
        patch.setattr("ooblexd.sources.published.SILENCE_S", silence_s)
        yield source, f"{protocol}://127.0.0.1:{port}/live/cam"
        door.close()
        source.close()


def read_soon(source: Source, within_s: float = 20.0) -> Picture:
    """Return the next picture, however often the source says that it waits."""
    until_ns = monotonic_ns() + int(within_s * 1e9)
    while monotonic_ns() < until_ns:
        with contextlib.suppress(SourceWaitingError):
            return source.read()
    raise AssertionError(f"no picture within {within_s} s")


def why_it_waits(source: Source) -> str:
    """Read to the end of what is published."""
    for _ in range(500):
        try:
            source.read()
        except SourceWaitingError as silence:
            return silence.reason
    raise AssertionError("it never ends")


def test_nobody_publishes_yet_and_that_is_told_at_once() -> None:
    with published() as (source, _):
        with pytest.raises(SourceWaitingError) as caught:
            source.read()
        assert caught.value.reason == "nobody publishes yet"


def test_nobody_can_publish_to_what_does_not_run() -> None:
    with pytest.raises(SourceUnavailableError):
        open_source(URL.format("rtmp"), SourceOptions())


def test_video_beside_sound_is_read_in_its_order() -> None:
    sound = ("-f", "lavfi", "-i", "sine", "-c:v", "copy", "-c:a", "aac", "-map", "0:v")
    with published() as (source, url), ffmpeg(url, *sound, "-map", "1:a"):
        first = read_soon(source)
        pictures = [source.read() for _ in range(30)]

    assert (first.width, first.height) == (1280, 720)
    assert source.description.codec == "h264"
    assert not source.description.has_b_frames
    assert all(a.pts_ns < b.pts_ns for a, b in itertools.pairwise(pictures))


def test_b_frames_are_known() -> None:
    how = (
        "-an",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-bf",
        "2",
        "-vf",
        "scale=320:-2",
    )
    with published() as (source, url), ffmpeg(url, *how):
        read_soon(source)
        for _ in range(20):
            source.read()

    assert source.description.has_b_frames


def test_small_chunks_are_put_together() -> None:
    with published() as (source, url), gstreamer(url):
        assert read_soon(source).width == 320
        assert [source.read().width for _ in range(30)] == [320] * 30


@pytest.mark.parametrize(
    ("encoder", "codec"), [("libx265", "hevc"), ("libsvtav1", "av1")]
)
def test_newer_codecs_come_by_enhanced_rtmp(encoder: str, codec: str) -> None:
    with published() as (source, url), enhanced(url, encoder):
        assert read_soon(source).height == 240
        assert source.description.codec == codec
        assert why_it_waits(source) == "the publisher has stopped"


def test_the_newest_publisher_is_seen_and_the_former_cut_off() -> None:
    with published() as (source, url), ffmpeg(url) as former:
        assert read_soon(source).width == 1280
        with gstreamer(url):
            while read_soon(source).width != 320:
                pass
            assert former.wait(20) != 0


def test_one_who_falls_silent_is_gone_and_may_come_again() -> None:
    with published(silence_s=4.0) as (source, url):
        with ffmpeg(url) as process:
            read_soon(source)
            process.send_signal(19)  # SIGSTOP: the connection stays
            assert why_it_waits(source) == "the publisher has sent no video for 4 s"
        with ffmpeg(url):
            assert read_soon(source).width == 1280


@pytest.mark.parametrize(
    "noise",
    [b"", b"\xff" * 4000, b"\x04" + bytes(7000)],
    ids=["leaves", "noise", "zeros"],
)
def test_who_sends_no_video_is_parted_with(noise: bytes) -> None:
    with published() as (source, url):
        port = int(url.split(":")[2].split("/")[0])
        with ffmpeg(url) as process:
            read_soon(source)
            process.kill()
        why_it_waits(source)
        greeting = b"\x03" + bytes(3072)
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(greeting + noise)
            peer.shutdown(socket.SHUT_WR)
            eventually_told = why_it_waits(source)
        assert "the publisher" in eventually_told


def test_a_door_that_is_closed_lets_nobody_wait() -> None:
    door = Door()
    ours, theirs = socket.socketpair()
    door.admit(Publisher(ours, b"", "the peer"))
    door.close()

    assert door.take(5.0) is None
    assert theirs.recv(1) == b""
    theirs.close()
