"""What publishers send waits in bounded space, for a pump that may be slow."""

from __future__ import annotations

import threading

from ooblexd.signalling import SessionKind, Signal, SignalVerb
from ooblexd.sources.whip import Unit
from ooblexd.stages.publishing import _MOST_BYTES, _MOST_WAITING, Published, Publishing


def unit(number: int, data: bytes = b"x") -> Unit:
    return Unit("she", "vp8", data, number, 0)


def published() -> Published:
    return Published("", lambda: None)


def test_all_that_came_is_taken_in_its_order() -> None:
    place = published()
    for number in range(3):
        place.put(unit(number))

    assert [one.rtp_time for one in place.take(0)] == [0, 1, 2]
    assert place.take(0) == []


def test_what_nobody_takes_makes_room_and_leaves_a_gap() -> None:
    place = published()
    for number in range(_MOST_WAITING + 1):
        place.put(unit(number))
    (left,) = place.take(0)
    assert (left.rtp_time, left.is_after_gap) == (_MOST_WAITING, True)

    large = b"x" * (_MOST_BYTES // 4)
    for number in range(6):
        place.put(unit(number, large))
    assert [one.rtp_time for one in place.take(0)] == [5]


def test_who_waits_is_woken_when_another_publishes() -> None:
    place = published()
    threading.Timer(0.05, place.set_publisher, ["he"]).start()

    assert place.take(20) == []
    assert place.publisher == "he"


def test_before_there_is_a_place_nobody_is_let_in() -> None:
    publishing = Publishing(lambda _: None, lambda _: True)
    kind = SessionKind.PUBLISH.value
    publishing.obey(Signal(7, "desk", SignalVerb.OFFER, "", "v=0", kind))
    (said,) = publishing.turn()

    assert (said.request, said.status) == (7, 503)
    assert publishing.wake_fds == ()
    publishing.close()
