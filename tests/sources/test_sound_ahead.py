"""When sound is handed on that was read ahead of its pictures."""

from __future__ import annotations

import pytest

from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.sources.left_out import NOT_OF_ITS_TIME
from ooblexd.sources.sound_ahead import SoundAhead

PERIOD_NS = 40 * NS_PER_MS
NOW_NS = 1000 * NS_PER_S


class Player:
    """Reads two tracks as they are muxed, and then plays the pictures."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, int]] = []
        self.said: list[str] = []
        self._ahead = SoundAhead(self._hear, self.said.append)
        self._pictures: list[int] = []

    def read(self, start_ns: int, count: int, name: bytes, sound_ns: int = 0) -> None:
        """Read pictures, each with a packet of sound so much later."""
        for number in range(count):
            at_ns = start_ns + number * PERIOD_NS
            self._pictures.append(at_ns)
            self._ahead.note_picture(at_ns)
            self._ahead.put(sound(name, at_ns + sound_ns))

    def play(self) -> None:
        """Play all that was read, a picture each period."""
        for number, at_ns in enumerate(self._pictures):
            self._ahead.play(at_ns, NOW_NS + number * PERIOD_NS)

    def _hear(self, packet: AudioPacket, at_ns: int) -> None:
        self.heard.append((packet.data, at_ns - NOW_NS))


def sound(name: bytes, at_ns: int) -> AudioPacket:
    return AudioPacket(AudioCodec.OPUS, 48_000, 2, at_ns, 0, b"", name)


def test_sound_is_heard_at_its_distance_from_the_picture() -> None:
    player = Player()
    player.read(5 * NS_PER_S, 3, b"a", -7 * NS_PER_MS)

    player.play()

    times_ms = [at_ns // NS_PER_MS for _, at_ns in player.heard]
    assert times_ms == [-7, 33, 73]


@pytest.mark.parametrize("anew_ns", [0, 3600 * NS_PER_S, 8 * NS_PER_S])
def test_where_the_clock_begins_anew_sound_goes_with_its_own_pictures(
    anew_ns: int,
) -> None:
    player = Player()
    player.read(100 * NS_PER_S, 10, b"a")
    player.read(anew_ns, 10, b"b")

    player.play()

    times = [at_ns // PERIOD_NS for _, at_ns in player.heard]
    assert times == list(range(20))
    assert b"".join(name for name, _ in player.heard) == b"a" * 10 + b"b" * 10


def test_what_comes_behind_the_end_of_its_pictures_goes_with_them() -> None:
    player = Player()
    player.read(100 * NS_PER_S, 10, b"a")
    player.read(0, 1, b"z", 100 * NS_PER_S + 10 * PERIOD_NS)
    player.read(PERIOD_NS, 9, b"b")

    player.play()

    assert b"".join(name for name, _ in player.heard) == b"a" * 10 + b"z" + b"b" * 9


def test_sound_of_quite_another_time_is_left_out_and_that_is_said() -> None:
    player = Player()
    player.read(0, 300, b"a", 3600 * NS_PER_S)

    player.play()

    assert (player.heard, player.said) == ([], [NOT_OF_ITS_TIME])


def test_few_pictures_a_second_do_not_delay_the_sound_between_them() -> None:
    heard: list[int] = []
    ahead = SoundAhead(lambda _, at_ns: heard.append(at_ns), lambda _: None)
    for second in range(3):
        ahead.note_picture(second * NS_PER_S)
        for part in range(4):
            ahead.put(sound(b"a", second * NS_PER_S + part * NS_PER_S // 4))

    ahead.play(0, NOW_NS)
    ahead.play(NS_PER_S, NOW_NS + NS_PER_S)

    assert max(heard) > NOW_NS + 1.7 * NS_PER_S
