"""Who plays by RTSP gets each picture that may be shown, or goes on with a keyframe."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from aiortc.rtp import RtpPacket

from ooblexd.control.rtsp_viewer import RtspViewer
from ooblexd.counters import DemandWord
from ooblexd.publishing.rtsp import Packet, RtspReader
from tests.support.feed import LoneFeed, let_write, video_unit
from tests.support.h264 import units

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.h264 import Unit

SIZE = (640, 360)
CHANNEL = 4


class _Room(asyncio.Protocol):
    viewer: RtspViewer | None = None

    def resume_writing(self) -> None:
        assert self.viewer is not None
        self.viewer.look()


class Playing:
    """A viewer on a real socket, and its other end."""

    def __init__(self) -> None:
        self.lone = LoneFeed()
        self.ours, self.theirs = socket.socketpair()
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.theirs.setblocking(False)
        self._reader = RtspReader()
        self.packets: list[RtpPacket] = []

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport, room = await loop.create_connection(_Room, sock=self.ours)
        self.viewer = room.viewer = RtspViewer(self.lone.feed, self.transport)

    def put(self, pictures: list[Unit], revision: int = 0) -> None:
        for unit in pictures:
            self.viewer.take(video_unit(unit, SIZE, revision))

    async def read_all(self) -> None:
        """Read until nothing more comes."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await asyncio.wait_for(loop.sock_recv(self.theirs, 1 << 16), 0.1)
            except asyncio.TimeoutError:
                return
            for found in self._reader.read(data):
                assert isinstance(found, Packet)
                if found.channel == CHANNEL:
                    self.packets.append(RtpPacket.parse(found.data))

    @property
    def pictures(self) -> int:
        return sum(packet.marker for packet in self.packets)


def play(part: Callable[[Playing], Awaitable[None]]) -> Playing:
    playing = Playing()

    async def run() -> None:
        await playing.begin()
        await part(playing)
        playing.transport.abort()

    asyncio.run(run())
    playing.theirs.close()
    return playing


def test_nothing_is_sent_before_it_plays_and_then_a_keyframe_comes_first() -> None:
    pictures = units(20, SIZE, keyframe_every=10)

    async def part(playing: Playing) -> None:
        playing.put(pictures[:5])
        assert playing.viewer.parameters is not None
        playing.viewer.play(CHANNEL)
        for unit in pictures[5:]:
            playing.put([unit])
            await let_write()
        await playing.read_all()

    playing = play(part)
    assert playing.pictures == 10
    assert playing.viewer.parameters is not None
    assert playing.packets[0].payload == playing.viewer.parameters.sequence
    assert playing.lone.demand(DemandWord.RTSP_FRAMES) == 10
    assert playing.lone.demand(DemandWord.RTSP_DROPPED) == 0


def test_a_slow_player_misses_pictures_but_no_packet() -> None:
    pictures = units(200, SIZE, keyframe_every=10)

    async def part(playing: Playing) -> None:
        playing.viewer.play(CHANNEL)
        playing.put(pictures[:100])  # nobody reads
        assert playing.transport.get_write_buffer_size() < 1 << 17
        await playing.read_all()
        for unit in pictures[100:]:
            playing.put([unit])
            if unit.is_keyframe:
                await playing.read_all()
        await playing.read_all()

    playing = play(part)
    lost = playing.lone.demand(DemandWord.RTSP_DROPPED)
    assert lost > 30
    assert playing.pictures == playing.lone.demand(DemandWord.RTSP_FRAMES) == 200 - lost
    numbers = [packet.sequence_number for packet in playing.packets]
    first = numbers[0]
    assert numbers == [(first + at) % (1 << 16) for at in range(len(numbers))]


def test_what_waits_for_room_is_not_sent_once_more_is_required() -> None:
    pictures = units(60, SIZE, keyframe_every=10)

    async def part(playing: Playing) -> None:
        playing.viewer.play(CHANNEL)
        playing.put(pictures[:25], revision=1)  # nobody reads
        sent = playing.lone.demand(DemandWord.RTSP_FRAMES)
        playing.lone.require(2)
        await playing.read_all()
        playing.put(pictures[25:35], revision=1)
        await playing.read_all()
        assert playing.pictures == playing.lone.demand(DemandWord.RTSP_FRAMES) == sent
        for unit in pictures[35:]:
            playing.put([unit], revision=2)
            await let_write()
        await playing.read_all()
        assert playing.pictures > sent

    play(part)
