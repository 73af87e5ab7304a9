"""Packets that wait for their decoder: which are decoded, and how old they may get."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

import av
import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.errors import SourceUnavailableError
from ooblexd.pixels import new_planes
from ooblexd.sources import SourceOptions, open_source
from ooblexd.sources.arrivals import Arrival, Arrivals, first_of_use
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.http_camera import HttpCamera


def packet_of(number: int, *, is_key: bool = False, size: int = 1) -> Arrival:
    packet: av.Packet[av.VideoStream] = av.Packet(size)  # type: ignore[assignment] # by its stream
    packet.is_keyframe = is_key
    return Arrival(packet, number)


class Sender:
    """Sends what it is told to, until it is told to end."""

    def __init__(self) -> None:
        self._told: SimpleQueue[Arrival | Exception | None] = SimpleQueue()
        self.closed = threading.Event()
        self.arrivals = Arrivals(self._packets(), self.closed.set)

    def send(self, *told: Arrival | Exception | None) -> None:
        for each in told:
            self._told.put(each)

    def _packets(self) -> Iterator[Arrival]:
        while (told := self._told.get()) is not None:
            if isinstance(told, Exception):
                raise told
            yield told


@pytest.fixture
def sender() -> Iterator[Sender]:
    sending = Sender()
    yield sending
    sending.send(None)
    sending.arrivals.close()


def numbers_of(sender: Sender) -> list[int]:
    return [arrival.at_ns for arrival in sender.arrivals.take()]


def test_all_that_came_is_taken_in_order(sender: Sender) -> None:
    sender.send(*map(packet_of, range(5)))

    taken = numbers_of(sender)
    while len(taken) < 5:
        taken += numbers_of(sender)

    assert taken == [0, 1, 2, 3, 4]


def test_what_came_before_an_error_is_taken_before_it(sender: Sender) -> None:
    sender.send(packet_of(1), SourceUnavailableError("it burns"))
    assert sender.closed.wait(5)

    assert numbers_of(sender) == [1]
    for _ in range(2):
        with pytest.raises(SourceUnavailableError, match="it burns"):
            sender.arrivals.take()


def test_source_that_ends_is_closed_and_says_so(sender: Sender) -> None:
    sender.send(None)

    with pytest.raises(SourceUnavailableError, match="the stream ended"):
        sender.arrivals.take()
    assert sender.closed.wait(5)


def test_packets_that_nobody_takes_do_not_fill_the_memory(sender: Sender) -> None:
    sender.send(*(packet_of(number, size=10 << 20) for number in range(50)))

    def is_there() -> bool:
        return 49 in [arrival.at_ns for arrival in sender.arrivals._waiting]

    eventually(is_there)
    assert len(sender.arrivals._waiting) <= 8


def is_key(packet: av.Packet[av.VideoStream]) -> bool:
    return packet.is_keyframe


@pytest.mark.parametrize(
    ("keys", "cost_ms", "first"),
    [
        ([], 0, 0),  # the cost is not known yet
        ([], 2, 0),
        ([], 50, 0),
        ([], 51, 10),
        ([0], 90, 0),
        ([4], 1, 4),
        ([4, 7], 90, 7),
    ],
)
def test_what_a_keyframe_has_made_needless_is_left_out(
    keys: list[int], cost_ms: int, first: int
) -> None:
    waiting = [packet_of(number, is_key=number in keys) for number in range(10)]
    cost_ns = cost_ms * NS_PER_MS

    assert first_of_use(waiting, is_key, is_intra_only=False, cost_ns=cost_ns) == first
    assert first_of_use(waiting, is_key, is_intra_only=True, cost_ns=cost_ns) == 9


def test_reader_slower_than_its_camera_gets_the_newest_picture(
    http: HttpCamera,
) -> None:
    passed_over: list[None] = []
    options = SourceOptions(on_passed_over=lambda: passed_over.append(None))
    source = open_source(http.url("counted"), options)
    source.read()
    planes = new_planes(320, 240)

    for _ in range(3):
        until_ns = monotonic_ns() + NS_PER_S // 3
        eventually(lambda: monotonic_ns() > until_ns)  # noqa: B023 - at once
        sent = len(http.sent_ns)
        source.read().copy_to(planes)
        number = round(float(planes.y.mean()) / 10)
        behind = (sent + 10 - number) % 25 - 10
        assert behind <= 4  # the picture after the one before has fallen behind by 8

    source.close()
    assert len(passed_over) > 10
