from __future__ import annotations

import asyncio
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.control.encoded import EncodedPicture
from ooblexd.control.feeds import STALLED_S, Feed
from ooblexd.control.mjpeg import MjpegViewer
from ooblexd.control.viewers import Pace, Wish
from ooblexd.frame import FrameHeader, Verdict
from tests.support.control import JPEG

if TYPE_CHECKING:
    from tests.support.control import ControlBench


def test_half_the_pictures_of_thirty_a_second_are_fifteen() -> None:
    pace = Pace(15)
    step_ns = NS_PER_S // 30

    admitted = [pace.admits(Verdict.LIVE, index * step_ns) for index in range(30)]

    assert sum(admitted) == 15


def test_twenty_of_thirty_a_second_are_twenty() -> None:
    pace = Pace(20)
    step_ns = NS_PER_S // 30

    admitted = [pace.admits(Verdict.LIVE, index * step_ns) for index in range(300)]

    assert sum(admitted) == pytest.approx(200, abs=2)


class Unread(asyncio.Transport):
    """The transport of a peer that never reads."""

    is_aborted = False

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 1

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


def test_a_viewer_that_takes_nothing_for_half_a_minute_is_dropped() -> None:
    feed, transport = Feed("door"), Unread()
    viewer = MjpegViewer(feed, transport, Wish(), is_chunked=True)
    with feed.joined(viewer):
        feed.picture = EncodedPicture(FrameHeader(1, 64, 36, 1), b"", 1)
        viewer.look()
        blocked_ns = monotonic_ns()

        feed.tick(blocked_ns + int((STALLED_S - 1) * NS_PER_S))
        assert not transport.is_aborted

        feed.tick(blocked_ns + int(STALLED_S * NS_PER_S) + 1)
        assert transport.is_aborted


def test_parts_are_whole_chunks_of_http(bench: ControlBench) -> None:
    with closing(HTTPConnection("127.0.0.1", bench.port, timeout=10)) as asked:
        asked.request("GET", "/streams/door/stream.mjpg")
        bench.await_viewers("door", 1)
        answer = asked.getresponse()
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.readline() == b"--ooblexd-frame\r\n"
        for _ in range(3):
            bench.publish("door")
            head = list(iter(answer.readline, b"\r\n"))
            assert b"Content-Type: image/jpeg\r\n" in head
            assert answer.read(len(JPEG)) == JPEG
            assert answer.readline() + answer.readline() == b"\r\n--ooblexd-frame\r\n"

        bench.forget("door")
        assert (
            answer.read() == b""
        )  # the last chunk came: else it raises IncompleteRead

        asked.request("GET", "/api/v1/streams")  # the connection goes on
        assert asked.getresponse().status == 200
