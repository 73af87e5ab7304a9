"""A line of sound has no gap and holds nobody up."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ooblexd.aac import PACKET_SAMPLES
from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.audio_line import ANY_REVISION, PATIENCE_NS, AudioLine, AudioShape
from ooblexd.clock import NS_PER_MS, NS_PER_S

ORIGIN_NS = 7 * NS_PER_S
PERIOD_NS = PACKET_SAMPLES * NS_PER_S // 48_000


def sound(at_ns: int) -> AudioPacket:
    return AudioPacket(AudioCodec.AAC, 48_000, 2, ORIGIN_NS + at_ns, 0, b"", b"s", 3)


@pytest.fixture
def line() -> AudioLine:
    return AudioLine(AudioShape(48_000, 2), ORIGIN_NS)


def test_packets_follow_each_other_though_their_times_tremble(line: AudioLine) -> None:
    times = [n * PERIOD_NS + (n % 3) * 8 * NS_PER_MS for n in range(100)]

    pieces = [piece for at_ns in times for piece in line.put(sound(at_ns))]

    assert [piece.samples for piece in pieces] == [n * 1024 for n in range(100)]
    assert {piece.revision for piece in pieces} == {3}


def test_a_gap_is_silent_and_what_follows_is_in_its_place(line: AudioLine) -> None:
    pieces = line.put(sound(0)) + line.put(sound(10 * PERIOD_NS))

    assert [piece.samples // 1024 for piece in pieces] == list(range(11))
    assert [piece.revision for piece in pieces] == [3, *[ANY_REVISION] * 9, 3]


def test_pictures_are_followed_once_they_are_far_ahead(line: AudioLine) -> None:
    line.put(sound(0))

    assert line.reach(ORIGIN_NS + PATIENCE_NS) == []
    first = line.reach(ORIGIN_NS + 2 * PATIENCE_NS)
    assert abs(line.end_ns - ORIGIN_NS - 2 * PATIENCE_NS) <= PERIOD_NS
    assert {piece.revision for piece in first} == {ANY_REVISION}
    later_ns = ORIGIN_NS + 2 * PATIENCE_NS + 40 * NS_PER_MS
    assert len(line.reach(later_ns)) in (1, 2), "nobody waits a second time"
    assert line.put(sound(later_ns - ORIGIN_NS))[-1].revision == 3


def test_sound_that_always_comes_late_is_heard_in_the_end(line: AudioLine) -> None:
    late_ns, heard = PATIENCE_NS + 150 * NS_PER_MS, []

    for number in range(300):
        at_ns = number * PERIOD_NS
        line.reach(ORIGIN_NS + at_ns)
        if at_ns > late_ns:
            heard += line.put(sound(at_ns - late_ns))

    assert sum(piece.revision == 3 for piece in heard) > 200


def test_a_source_that_stood_still_for_long_makes_no_flood(line: AudioLine) -> None:
    pieces = line.put(sound(0)) + line.put(sound(3600 * NS_PER_S))

    assert len(pieces) < 250
    assert all(before.samples < after.samples for before, after in pairwise(pieces))
    assert abs(line.end_ns - ORIGIN_NS - 3600 * NS_PER_S) < 2 * PERIOD_NS
