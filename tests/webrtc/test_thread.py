from __future__ import annotations

import select
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ooblexd.signalling import Signal, SignalVerb
from ooblexd.webrtc import thread
from ooblexd.webrtc.thread import PeersThread
from tests.support.processes import eventually

if TYPE_CHECKING:
    import pytest


def test_an_answer_wakes_whoever_waits_for_it() -> None:
    with closing(PeersThread(lambda _: True, lambda _: True).sessions) as peers:
        peers.obey(Signal(7, "door", SignalVerb.END, "nobody", ""))
        assert select.select([peers.wake_fd], [], [], 20)[0]
        (said,) = peers.answers()

        assert (said.request, said.status) == (7, 404)
        assert not select.select([peers.wake_fd], [], [], 0)[0]
        assert peers.answers() == []


def test_a_mistake_of_ours_is_answered_too() -> None:
    with closing(PeersThread(lambda _: True, lambda _: True).sessions) as peers:
        no_text: Any = None
        peers.obey(Signal(7, "door", SignalVerb.OFFER, "", no_text))
        assert select.select([peers.wake_fd], [], [], 20)[0]
        (said,) = peers.answers()

    assert (said.request, said.status) == (7, 500)


def test_a_thread_that_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread, "_OVERDUE_NS", 800_000_000)
    is_over = threading.Event()
    with closing(PeersThread(lambda _: True, lambda _: True).sessions) as peers:
        eventually(lambda: peers._beat_ns > 0)
        eventually(lambda: not peers.is_hung)

        peers._loop.call_soon_threadsafe(is_over.wait, 20)
        eventually(lambda: peers.is_hung)
        is_over.set()
