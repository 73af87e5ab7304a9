"""Sound from the thread that reads a source to those who listen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ooblexd.audio import SLOT_BYTES, AudioCodec, AudioPacket
from ooblexd.board import Board
from ooblexd.commands import AttachReader, AttachWriter
from ooblexd.counters import StageCounters
from ooblexd.ring import RingSpec, create_segment
from ooblexd.stages.audio_reader import AudioReader
from ooblexd.stages.audio_ring import AudioRing

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = RingSpec.with_history(slot_bytes=SLOT_BYTES, readers=1, history=8)
REVISION = 3


@pytest.fixture
def ends() -> Iterator[tuple[AudioRing, AudioReader]]:
    """Lend both ends of a ring, as the supervisor hands them out."""
    segment = create_segment(SPEC)
    wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    numbers = (SPEC.slots, SPEC.slot_bytes, SPEC.readers, SPEC.history)
    ring, reader = AudioRing(), AudioReader()
    ring.attach(
        AttachWriter("door", "audio", *numbers, generation=1),
        [os.dup(segment.fd), os.dup(wake_fd)],
    )
    reader.attach(
        AttachReader("door", "audio", *numbers, place=0),
        [os.dup(segment.fd), wake_fd],
    )
    segment.close()
    reader.heard(0, listens=True)
    yield ring, reader
    ring.close()
    reader.close()


@pytest.fixture
def counters() -> StageCounters:
    board = Board()
    return StageCounters(board.page(board.allocate()))


def packet(codec: AudioCodec, size: int) -> AudioPacket:
    return AudioPacket(codec, 48_000, 2, 0, 0, b"\x11\x90", bytes(size))


@pytest.mark.parametrize(
    ("codec", "size", "heard"),
    [
        (AudioCodec.AAC, 0, []),
        (AudioCodec.AAC, 1, []),  # FFmpeg's muxers end with an error
        (AudioCodec.AAC, 2, [2]),
        (AudioCodec.OPUS, 1, [1]),  # a pause, as it may say by itself
        (AudioCodec.AAC, SLOT_BYTES, []),  # with its head it has no room
    ],
)
def test_what_nobody_could_mux_or_hold_is_left_out(
    ends: tuple[AudioRing, AudioReader],
    counters: StageCounters,
    codec: AudioCodec,
    size: int,
    heard: list[int],
) -> None:
    ring, reader = ends
    ring.configure(REVISION, counters, passes=True)

    ring.put(packet(codec, size))
    ring.put(packet(AudioCodec.AAC, 7))

    sizes = [len(one.data) for one in reader.heard(REVISION, listens=True)]
    assert sizes == [*heard, 7]


def test_sound_passes_only_where_the_plan_lets_it(
    ends: tuple[AudioRing, AudioReader], counters: StageCounters
) -> None:
    ring, reader = ends
    for revision, passes in enumerate((False, True, False), REVISION):
        ring.configure(revision, counters, passes=passes)
        ring.put(packet(AudioCodec.AAC, 7))

    heard = [one.revision for one in reader.heard(REVISION, listens=True)]
    assert heard == [REVISION + 1]
