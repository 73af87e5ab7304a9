from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiortc.mediastreams import MediaStreamError

from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.webrtc.sound_track import SoundTrack

PACKET = AudioPacket(AudioCodec.OPUS, 48_000, 2, 0, 20 * NS_PER_MS, b"", b"sound")


def test_sound_waits_for_the_picture_of_its_moment() -> None:
    async def play() -> None:
        track, now_ns = SoundTrack(lambda _: True), monotonic_ns()
        track.put(replace(PACKET, at_ns=now_ns))
        waiting = asyncio.ensure_future(track.recv())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done

        track.note_shown(now_ns)
        packet = await asyncio.wait_for(waiting, 1)

        assert bytes(packet) == b"sound"
        assert packet.pts is not None
        shown_s = float(packet.pts * packet.time_base)
        assert shown_s == pytest.approx(now_ns / NS_PER_S, abs=0.001)

    asyncio.run(play())


def test_without_a_picture_sound_goes_after_a_second() -> None:
    async def play() -> None:
        track = SoundTrack(lambda _: True)
        old = replace(PACKET, at_ns=monotonic_ns() - 2 * NS_PER_S)
        track.put(old)
        assert bytes(await asyncio.wait_for(track.recv(), 1)) == b"sound"

    asyncio.run(play())


def test_what_may_not_be_heard_any_more_never_is_and_the_end_is_one() -> None:
    async def play() -> None:
        track = SoundTrack(lambda packet: packet.revision > 1)
        old = replace(PACKET, at_ns=monotonic_ns() - 2 * NS_PER_S)
        track.put(replace(old, revision=1))
        track.put(replace(old, revision=2, data=b"allowed"))
        assert bytes(await asyncio.wait_for(track.recv(), 1)) == b"allowed"
        waiting = asyncio.ensure_future(track.recv())
        track.stop()
        with pytest.raises(MediaStreamError):
            await asyncio.wait_for(waiting, 1)

    asyncio.run(play())
