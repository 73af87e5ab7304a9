"""The source of what is published: encoded yet, and silent for as long as it likes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.encoders.video import VideoCodec, VideoEncoder
from ooblexd.errors import SourceUnavailableError, SourceWaitingError
from ooblexd.frame import Matrix
from ooblexd.pixels import new_planes
from ooblexd.sources import Rate, Source, SourceOptions, open_source
from ooblexd.sources.keyframes import is_keyframe
from ooblexd.sources.whip import PATIENCE_NS, Unit

if TYPE_CHECKING:
    from ooblexd.sources import Picture

PERIOD_NS = NS_PER_S // 30
CODECS = list(VideoCodec)


@cache
def encoded(codec: VideoCodec, count: int, *, width: int = 64) -> tuple[Unit, ...]:
    """Return pictures that grow brighter, of which the first alone is a keyframe."""
    encoder = VideoEncoder(codec, 500_000)
    units = []
    for number in range(count):
        planes = new_planes(width, 48)
        planes.y.fill(60 + 10 * number)
        planes.u.fill(128)
        planes.v.fill(128)
        (packet,) = encoder.encode(
            planes,
            number * PERIOD_NS,
            full_range=False,
            matrix=Matrix.BT601,
            is_keyframe=number == 0,
        )
        units.append(Unit("she", codec.value, bytes(packet), number * 3000, 0))
    return tuple(units)


@dataclass
class TimedPublication:
    """A `Publication` whose clock moves only while somebody waits."""

    now_ns: int = 100 * NS_PER_S
    publisher: str = ""
    batches: deque[tuple[Unit, ...]] = field(default_factory=deque)
    keyframes_wanted: int = 0

    def take(self, within_s: float) -> list[Unit]:
        if self.batches:
            self.now_ns += PERIOD_NS
            units = self.batches.popleft()
            return [replace(unit, arrival_ns=self.now_ns) for unit in units]
        self.now_ns += round(within_s * NS_PER_S)
        return []

    def want_keyframe(self) -> None:
        self.keyframes_wanted += 1

    def send(self, *units: Unit) -> None:
        """Have each come by itself."""
        self.publisher = units[-1].publisher
        self.batches += [(unit,) for unit in units]


@dataclass
class Bench:
    """A source, what it is given, and what it tells."""

    publication: TimedPublication = field(default_factory=TimedPublication)
    passed_over: int = 0

    def __post_init__(self) -> None:
        self.rate = Rate()
        self.source: Source = open_source(
            "whip:",
            SourceOptions(
                publication=self.publication,
                now_ns=lambda: self.publication.now_ns,
                rate=self.rate,
                on_passed_over=self._count,
            ),
        )
        self.why()  # that nobody publishes

    def _count(self) -> None:
        self.passed_over += 1

    def read(self, count: int) -> list[Picture]:
        return [self.source.read() for _ in range(count)]

    def levels(self, count: int) -> list[int]:
        """Return how bright the next pictures are, as the numbers they were made of."""
        means = [float(one.planes().y.mean()) for one in self.read(count)]
        return [round((mean - 60) / 10) for mean in means]

    def why(self) -> str:
        """Return why there is no picture."""
        with pytest.raises(SourceWaitingError) as caught:
            self.source.read()
        return caught.value.reason


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_outside_of_a_stream_nobody_can_publish() -> None:
    with pytest.raises(SourceUnavailableError):
        open_source("whip:")


def test_a_new_source_says_at_once_that_nobody_publishes() -> None:
    publication = TimedPublication()
    options = SourceOptions(publication=publication, now_ns=lambda: publication.now_ns)
    source = open_source("whip:", options)

    with pytest.raises(SourceWaitingError, match="nobody publishes"):
        source.read()
    assert publication.now_ns == 100 * NS_PER_S


@pytest.mark.parametrize("codec", CODECS)
def test_every_picture_is_decoded_when_it_comes(
    bench: Bench, codec: VideoCodec
) -> None:
    bench.publication.send(*encoded(codec, 5))
    pictures = bench.read(5)

    assert [round((float(p.planes().y.mean()) - 60) / 10) for p in pictures] == [
        *range(5)
    ]
    assert {(p.width, p.height, p.full_range) for p in pictures} == {(64, 48, False)}
    first, second = pictures[:2]
    assert second.pts_ns - first.pts_ns == pytest.approx(PERIOD_NS, abs=10)
    assert second.capture_ns - first.capture_ns == PERIOD_NS
    assert bench.publication.keyframes_wanted == 0
    assert bench.passed_over == 0


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_is_shown_that_refers_to_what_was_lost(
    bench: Bench, codec: VideoCodec
) -> None:
    key, *others = encoded(codec, 4)
    lost = replace(others[1], is_after_gap=True)
    bench.publication.send(key, others[0], lost, others[2], key)

    assert bench.levels(3) == [0, 1, 0]
    assert bench.publication.keyframes_wanted == 2
    assert bench.passed_over == 2


@pytest.mark.parametrize("codec", CODECS)
def test_a_keyframe_is_asked_for_where_the_first_picture_is_none(
    bench: Bench, codec: VideoCodec
) -> None:
    key, *others = encoded(codec, 3)
    bench.publication.send(*others, key)

    assert bench.levels(1) == [0]
    assert bench.publication.keyframes_wanted == 2


def test_another_publisher_begins_anew_with_a_codec_of_its_own(bench: Bench) -> None:
    mine = encoded(VideoCodec.H264, 2)
    theirs = [replace(u, publisher="he") for u in encoded(VideoCodec.VP8, 2, width=96)]
    bench.publication.send(*mine, *theirs)
    pictures = bench.read(4)

    assert [picture.width for picture in pictures] == [64, 64, 96, 96]
    times = [picture.pts_ns for picture in pictures]
    assert times == sorted(times)


def test_what_has_waited_is_decoded_and_only_the_newest_shown(bench: Bench) -> None:
    bench.publication.publisher = "she"
    bench.publication.batches.append(encoded(VideoCodec.H264, 5))

    assert bench.levels(1) == [4]
    assert bench.passed_over == 4


def test_what_waits_before_a_keyframe_is_not_decoded(bench: Bench) -> None:
    units = encoded(VideoCodec.H264, 3)
    bench.publication.publisher = "she"
    bench.publication.batches.append((*units, *units[:2]))

    assert bench.levels(1) == [1]
    assert bench.publication.keyframes_wanted == 0


def test_silence_is_told_after_two_seconds_and_a_goodbye_at_once(bench: Bench) -> None:
    bench.publication.send(*encoded(VideoCodec.H264, 2))
    bench.read(2)
    since_ns = bench.publication.now_ns
    assert "no pictures at present" in bench.why()
    assert bench.publication.now_ns - since_ns == PATIENCE_NS

    bench.publication.send(*encoded(VideoCodec.H264, 2))
    bench.read(2)
    bench.publication.publisher = ""
    assert "nobody publishes" in bench.why()
    bench.publication.publisher = "he"
    assert "no picture has come yet" in bench.why()


def test_what_cannot_be_decoded_is_told(bench: Bench) -> None:
    key = encoded(VideoCodec.H264, 1)[0]
    broken = replace(key, data=key.data[: len(key.data) // 2].replace(b"\x67", b"\x60"))
    bench.publication.send(*[broken] * 100)

    assert "cannot be decoded" in bench.why()
    assert bench.publication.keyframes_wanted > 10


def test_pictures_that_nobody_wants_are_no_silence(bench: Bench) -> None:
    bench.rate.max_fps = 0.25
    bench.publication.send(*encoded(VideoCodec.H264, 20) * 7)

    assert bench.levels(2)[0] == 0


@pytest.mark.parametrize("codec", CODECS)
def test_a_keyframe_is_known_by_its_beginning(codec: VideoCodec) -> None:
    key, other = (unit.data for unit in encoded(codec, 2))

    assert is_keyframe(codec.value, key)
    assert not is_keyframe(codec.value, other)
    assert not is_keyframe(codec.value, key[-8:])
    assert not is_keyframe(codec.value, b"")
