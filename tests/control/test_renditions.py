"""Who asks for less than the picture is told apart, bounded, and shown no more."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from ooblexd.counters import DemandWord
from ooblexd.renditions import MOST_RENDITIONS, Rendition, of_key
from tests.support.mjpeg import watching
from tests.support.processes import eventually

if TYPE_CHECKING:
    from tests.support.control import ControlBench

STREAM, SNAPSHOT = "/streams/door/stream.mjpg", "/streams/door/snapshot.jpg"
SMALL = Rendition(320)


def wanted(bench: ControlBench) -> set[Rendition]:
    row = range(DemandWord.RENDITIONS, DemandWord.RENDITIONS + MOST_RENDITIONS)
    return {of_key(key) for word in row if (key := bench.demand("door", word))}


def test_each_viewer_is_sent_the_form_that_it_asked_for(bench: ControlBench) -> None:
    paths = (STREAM, f"{STREAM}?width=320", f"{STREAM}?width=322&fps=200")
    with ExitStack() as stack:
        viewers = [stack.enter_context(watching(bench.port, path)) for path in paths]
        bench.await_viewers("door", 3)
        shared = wanted(bench)
        bench.publish("door", b"before it was known")
        parts = [viewers[0].part()]
        bench.publish("door", b"whole", smaller={SMALL: b"small"})
        parts += [viewer.part() for viewer in viewers]

    assert shared == {SMALL}
    assert [part.body for part in parts if part] == [
        *(b"before it was known", b"whole", b"small", b"small")
    ]
    eventually(lambda: not wanted(bench))


def test_who_asks_for_more_than_there_is_gets_what_there_is(
    bench: ControlBench,
) -> None:
    with watching(bench.port, f"{STREAM}?width=4000") as viewer:
        bench.await_viewers("door", 1)
        bench.publish("door", b"whole", smaller={Rendition(4000): b""})
        part = viewer.part()

    assert part is not None
    assert part.body == b"whole"


def test_no_form_of_what_may_not_be_shown_is_sent(bench: ControlBench) -> None:
    with watching(bench.port, f"{STREAM}?width=320") as viewer:
        bench.await_viewers("door", 1)
        bench.require("door", 7)
        bench.publish("door", revision=6, smaller={SMALL: b"unprotected"})
        bench.publish("door", revision=7, smaller={SMALL: b"protected"})
        part = viewer.part()

    assert part is not None
    assert part.body == b"protected"


@pytest.mark.usefixtures("patient")
def test_a_snapshot_waits_for_its_form(bench: ControlBench) -> None:
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(
            httpx.get(f"{bench.url}{SNAPSHOT}?width=320&quality=51", timeout=30)
        )

    small = Rendition(320, 50)
    thread = threading.Thread(target=ask)
    thread.start()
    eventually(lambda: wanted(bench) == {small})
    bench.publish("door", b"before it was known")
    bench.publish("door", b"whole", smaller={small: b"small"})
    thread.join(30)

    assert answers[0].content == b"small"
    assert wanted(bench) == set()


def test_only_so_many_forms_are_made_and_the_next_one_is_told(
    bench: ControlBench,
) -> None:
    with ExitStack() as stack:
        for number in range(MOST_RENDITIONS):
            path = f"{STREAM}?width={320 + 32 * number}&quality=50"
            stack.enter_context(watching(bench.port, path))
        answer = httpx.get(bench.url + f"{SNAPSHOT}?width=64")
        same = stack.enter_context(
            watching(bench.port, f"{STREAM}?width=320&quality=50")
        )
        assert same.status == 200

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "width=320&quality=50" in answer.json()["detail"]
    eventually(lambda: not wanted(bench))
    with watching(bench.port, f"{STREAM}?width=64") as viewer:
        assert viewer.status == 200


@pytest.mark.parametrize("path", [STREAM, SNAPSHOT])
@pytest.mark.parametrize(
    "query", ["width=0", "width=9000", "width=x", "quality=101", "height=9"]
)
def test_what_is_out_of_range_is_said(
    bench: ControlBench, path: str, query: str
) -> None:
    answer = httpx.get(f"{bench.url}{path}?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["key"] == query.partition("=")[0]
