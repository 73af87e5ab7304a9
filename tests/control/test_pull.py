"""Who pulls H.264 gets every picture that may be shown, or goes on with a keyframe."""

from __future__ import annotations

import asyncio
import io
import socket
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.control.muxing import load_muxer
from ooblexd.control.pull import MP4, MPEG_TS, PullViewer
from ooblexd.counters import DemandWord
from tests.support.feed import LoneFeed, let_write, sound_until, video_unit
from tests.support.h264 import FIRST_NS, Unit, units

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ooblexd.control.pull import Kind

LARGE = (1280, 720)


class _Room(asyncio.Protocol):
    """Tells the viewer of room, as the server's protocol does."""

    viewer: PullViewer | None = None

    def resume_writing(self) -> None:
        assert self.viewer is not None
        self.viewer.look()


class Pulling:
    """A viewer on a real socket, and its other end."""

    def __init__(self, kind: Kind) -> None:
        self.lone = LoneFeed()
        self.ours, self.theirs = socket.socketpair()
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.theirs.setblocking(False)
        self.received = b""
        self._kind = kind
        self._leaves = ExitStack()

    async def begin(self) -> None:
        await load_muxer()
        loop = asyncio.get_running_loop()
        transport, room = await loop.create_connection(_Room, sock=self.ours)
        self.transport, self._room = transport, room
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have the other end be one who has just come."""
        self._leaves.close()
        self.viewer = PullViewer(
            *(self.lone.feed, self.lone.audio, self._kind, self.transport),
            is_chunked=False,
        )
        self._room.viewer = self.viewer
        self._leaves.callback(self.viewer.close)
        self._leaves.enter_context(self.lone.audio.joined(self.viewer, as_aac=True))

    def end(self) -> None:
        self._leaves.close()
        self.transport.abort()

    def put(self, pictures: list[Unit], revision: int = 0) -> None:
        for unit in pictures:
            self.viewer.take(video_unit(unit, LARGE, revision))

    async def read_now(self) -> None:
        """Read what has been written."""
        is_there = True
        while is_there or self.transport.get_write_buffer_size():
            await let_write()
            try:
                self.received += self.theirs.recv(1 << 16)
            except BlockingIOError:
                is_there = False

    async def read_all(self) -> bytes:
        """Read until nothing more comes, and return what did."""
        loop, read = asyncio.get_running_loop(), b""
        while True:
            try:
                data = await asyncio.wait_for(loop.sock_recv(self.theirs, 1 << 16), 0.3)
            except asyncio.TimeoutError:
                self.received += read
                return read
            if not data:
                return read
            read += data


def play(kind: Kind, part: Callable[[Pulling], Awaitable[None]]) -> Pulling:
    pulling = Pulling(kind)

    async def run() -> None:
        await pulling.begin()
        await part(pulling)
        pulling.end()

    asyncio.run(run())
    pulling.theirs.close()
    return pulling


def decoded(data: bytes, kind: Kind) -> int:
    name = "mp4" if kind is MP4 else "mpegts"
    with av.open(io.BytesIO(data), "r", format=name) as container:
        return len(list(container.decode(video=0)))


def assert_continuous(data: bytes) -> None:
    """Check the counters of MPEG-TS, by which FFmpeg tells that some are missing."""
    due: dict[int, int] = {}
    for at in range(0, len(data), 188):
        pid, last = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF, data[at + 3]
        assert last & 0x10, "it has a payload"
        assert due.get(pid, last & 15) == last & 15, f"of PID {pid:#x}, at {at}"
        due[pid] = (last + 1) & 15
    assert len(due) >= 3


@pytest.mark.parametrize("kind", [MP4, MPEG_TS])
def test_every_picture_arrives_while_the_reader_keeps_up(kind: Kind) -> None:
    async def part(pulling: Pulling) -> None:
        for unit in units(30, LARGE):
            pulling.put([unit])
            await let_write()
        await pulling.read_all()

    pulling = play(kind, part)
    missing = 1 if kind is MP4 else 0  # the last, which has no duration yet
    assert decoded(pulling.received, kind) == 30 - missing
    assert pulling.lone.demand(kind.frames) == 30 - missing
    assert pulling.lone.demand(kind.dropped) == 0


@pytest.mark.parametrize("kind", [MP4, MPEG_TS])
def test_a_slow_reader_goes_on_with_a_keyframe_and_nothing_piles_up(
    kind: Kind,
) -> None:
    pictures = units(200, LARGE, keyframe_every=10)

    async def part(pulling: Pulling) -> None:
        pulling.put(pictures[:100])  # nobody reads
        assert pulling.lone.demand(kind.dropped) > 30
        assert pulling.transport.get_write_buffer_size() < 1 << 17
        await pulling.read_all()
        for unit in pictures[100:]:
            pulling.put([unit])
            if unit.is_keyframe:
                await pulling.read_all()
        await pulling.read_all()

    pulling = play(kind, part)
    lost, sent = pulling.lone.demand(kind.dropped), pulling.lone.demand(kind.frames)
    assert decoded(pulling.received, kind) == sent
    assert 198 <= lost + sent <= 200  # one may be held, and one thrown away with it
    assert pulling.lone.demand(DemandWord.KEYFRAMES_ASKED) > 0


@pytest.mark.parametrize("kind", [MP4, MPEG_TS])
def test_what_waits_for_room_is_not_sent_once_more_is_required(kind: Kind) -> None:
    pictures = units(60, LARGE, keyframe_every=10)

    async def part(pulling: Pulling) -> None:
        pulling.put(pictures[:25], revision=1)  # nobody reads
        sent = pulling.lone.demand(kind.frames)
        pulling.lone.require(2)
        await pulling.read_all()
        assert pulling.lone.demand(kind.frames) == sent
        pulling.put(pictures[25:35], revision=1)
        await pulling.read_all()
        assert pulling.lone.demand(kind.frames) == sent
        before = len(pulling.received)
        for unit in pictures[35:]:
            pulling.put([unit], revision=2)
            await let_write()
        await pulling.read_all()
        assert len(pulling.received) > before

    pulling = play(kind, part)
    assert decoded(pulling.received, kind) == pulling.lone.demand(kind.frames)
    if kind is MPEG_TS:
        assert_continuous(pulling.received)


def test_mp4_ends_when_the_size_changes() -> None:
    async def part(pulling: Pulling) -> None:
        pulling.put(units(3, LARGE))
        await pulling.read_all()
        later = units(4, (320, 180))[3:]
        pulling.viewer.take(video_unit(later[0]._replace(is_keyframe=True)))
        assert pulling.viewer.has_ended.is_set()

    play(MP4, part)


def times(data: bytes, kind: Kind, track: str) -> list[float]:
    """Return when each packet of the pictures, or of the sound, is due."""
    name = "mp4" if kind is MP4 else "mpegts"
    with av.open(io.BytesIO(data), "r", format=name) as container:
        streams = [one for one in container.streams if one.type == track]
        return [
            float(packet.pts * packet.time_base)
            for packet in container.demux(streams)
            if packet.pts is not None
        ]


@pytest.mark.parametrize("kind", [MP4, MPEG_TS])
def test_pictures_wait_for_no_sound_and_what_is_missing_is_silent(kind: Kind) -> None:
    pictures = units(50, LARGE)
    packets = sound_until(FIRST_NS, FIRST_NS + NS_PER_S)  # the half of it

    async def part(pulling: Pulling) -> None:
        pulling.lone.audio.hear(packets.pop(0))
        for number, unit in enumerate(pictures):
            while packets and packets[0].at_ns < unit.pts_ns:
                pulling.lone.audio.hear(packets.pop(0))
            pulling.put([unit], revision=1)
            sent = number + 1 - (1 if kind is MP4 else 0)
            assert pulling.lone.demand(kind.frames) == sent
            await pulling.read_now()

    pulling = play(kind, part)
    seen = times(pulling.received, kind, "video")
    heard = times(pulling.received, kind, "audio")
    assert len(seen) == 50 - (1 if kind is MP4 else 0)
    steps = [after - before for before, after in pairwise(heard)]
    assert max(steps) < 0.022, "no gap"
    assert seen[0] == pytest.approx(heard[0], abs=0.022)
    assert seen[-1] == pytest.approx(heard[-1], abs=0.1)


def test_sound_that_waits_is_not_sent_once_somebody_is_protected() -> None:
    pictures = units(60, LARGE)

    async def part(pulling: Pulling) -> None:
        packets = sound_until(FIRST_NS, FIRST_NS + 2 * NS_PER_S)
        pulling.lone.audio.hear(packets.pop(0))
        pulling.put(pictures[:30], revision=1)  # more than the socket takes
        for packet in packets:
            pulling.lone.audio.hear(packet)
        pulling.lone.require(2)
        await pulling.read_all()

    pulling = play(MPEG_TS, part)
    assert len(times(pulling.received, MPEG_TS, "audio")) < 10
    assert_continuous(pulling.received)


@pytest.mark.parametrize("kind", [MP4, MPEG_TS])
def test_who_comes_while_sound_is_withheld_has_a_silent_track(kind: Kind) -> None:
    pictures = units(50, LARGE)

    async def part(pulling: Pulling) -> None:
        (packet,) = sound_until(FIRST_NS, FIRST_NS + 1)
        pulling.lone.audio.hear(packet)
        pulling.lone.require(2)
        pulling.begin_anew()
        for unit in pictures:
            pulling.put([unit], revision=2)
            await pulling.read_now()

    pulling = play(kind, part)
    heard = times(pulling.received, kind, "audio")
    assert heard[-1] - heard[0] > 1.5


def test_sound_that_fits_into_no_container_is_left_out_and_the_viewer_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pictures = units(50, LARGE)
    packets = sound_until(FIRST_NS, FIRST_NS + 2 * NS_PER_S)
    packets[9:30:5] = [replace(one, data=b"\1") for one in packets[9:30:5]]

    async def part(pulling: Pulling) -> None:
        pulling.lone.audio.hear(packets.pop(0))
        for unit in pictures:
            while packets and packets[0].at_ns < unit.pts_ns:
                pulling.lone.audio.hear(packets.pop(0))
            pulling.put([unit], revision=1)
            await pulling.read_now()
        assert not pulling.viewer.has_ended.is_set()

    pulling = play(MPEG_TS, part)
    assert times(pulling.received, MPEG_TS, "audio")[-1] > 1.5
    assert [line.levelname for line in caplog.records] == ["WARNING"]
    assert "[stream door] sound is left out: mpegts" in caplog.text
