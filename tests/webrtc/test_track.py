from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.frame import FrameHeader
from ooblexd.webrtc.exchange import EncodedUnit
from ooblexd.webrtc.track import MOST_WAITING, PacketTrack

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Watched:
    """A track, what may be shown of it, and how often a keyframe was asked for."""

    def __init__(self) -> None:
        self.forbidden: set[int] = set()
        self.wanted = 0
        self.forgotten = 0
        self.track = PacketTrack(self._may_show, self._want, self._forget, self._tell)

        self.told: list[int] = []

    def put(
        self, *numbers: int, keyframes: tuple[int, ...] = (), revision: int = 1
    ) -> None:
        for number in numbers:
            packet = cast("av.Packet[av.VideoStream]", av.Packet(bytes([number])))
            packet.is_keyframe = number in keyframes
            header = FrameHeader(number, 64, 36, capture_ns=1, revision=revision)
            self.track.put(EncodedUnit(header, packet))

    async def take(self) -> list[int]:
        """Return what the sender gets of all that is there."""
        taken: list[int] = []
        while True:
            try:
                packet = await asyncio.wait_for(self.track.recv(), 0.05)
            except asyncio.TimeoutError:
                return taken
            taken.append(bytes(packet)[0])

    def _may_show(self, header: FrameHeader) -> bool:
        return header.sequence not in self.forbidden

    def _want(self) -> None:
        self.wanted += 1

    def _tell(self, header: FrameHeader) -> None:
        self.told.append(header.sequence)

    def _forget(self) -> None:
        self.forgotten += 1


def run(body: Coroutine[None, None, None]) -> None:
    asyncio.run(body)


def test_a_viewer_begins_with_a_keyframe_and_asks_for_one() -> None:
    async def body() -> None:
        watched = Watched()
        watched.put(1, 2, 3, 4, keyframes=(3,))
        assert await watched.take() == [3, 4]
        assert watched.wanted == 2
        assert (watched.track.sent, watched.track.dropped) == (2, 0)

    run(body())


def test_what_may_not_be_shown_takes_what_refers_to_it_along() -> None:
    async def body() -> None:
        watched = Watched()
        watched.put(1, keyframes=(1,))
        assert await watched.take() == [1]

        watched.forbidden = {2}
        watched.put(2, 3, 4, 5, keyframes=(4,))
        assert await watched.take() == [4, 5]

    run(body())


def test_it_is_decided_when_it_is_sent_not_when_it_was_put() -> None:
    async def body() -> None:
        watched = Watched()
        watched.put(1, 2, keyframes=(1,))
        watched.forbidden = {1, 2}
        assert await watched.take() == []

    run(body())


def test_a_sender_that_falls_behind_begins_anew_with_the_newest() -> None:
    async def body() -> None:
        watched = Watched()
        watched.put(1, keyframes=(1,))
        assert await watched.take() == [1]

        numbers = range(2, 2 + MOST_WAITING + 2)
        watched.put(*numbers, keyframes=(numbers[-1],))
        assert await watched.take() == [numbers[-1]]
        assert watched.track.dropped == len(numbers) - 1
        assert watched.told == [1, numbers[-1]]

    run(body())


def test_a_track_that_ends_says_so_to_whoever_waits() -> None:
    async def body() -> None:
        watched = Watched()
        waiting = asyncio.ensure_future(watched.track.recv())
        asyncio.get_running_loop().call_soon(watched.track.stop)
        with pytest.raises(MediaStreamError):
            await waiting

    run(body())


def test_what_another_chain_made_is_never_sent_again() -> None:
    async def body() -> None:
        watched = Watched()
        assert not watched.track.may_resend()
        watched.put(1, keyframes=(1,))
        assert await watched.take() == [1]
        assert watched.track.may_resend()

        watched.forbidden = {1}  # the answer to a stricter chain has been given
        assert not watched.track.may_resend()
        assert watched.forgotten == 0

        watched.put(2, keyframes=(2,), revision=2)
        assert await watched.take() == [2]
        assert watched.forgotten == 1
        assert watched.track.may_resend()

    run(body())


def test_who_cannot_take_it_all_gets_keyframes_and_spoils_nothing_for_others() -> None:
    async def body() -> None:
        watched = Watched()
        watched.put(1, keyframes=(1,))
        assert await watched.take() == [1]
        wanted = watched.wanted

        watched.track.thinning._until_ns = monotonic_ns() + NS_PER_S
        watched.put(2, 3, 4, 5, keyframes=(3,))
        assert await watched.take() == []  # the first keyframe was just now
        watched.track.begin_anew()  # it complains (PLI)
        assert watched.wanted == wanted

        watched.track.thinning._until_ns = 0
        watched.put(6, 7, 8, keyframes=(7,))
        assert await watched.take() == [7, 8]
        assert watched.wanted == wanted + 1

    run(body())
