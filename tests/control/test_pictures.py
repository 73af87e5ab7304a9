from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.control import feeds
from ooblexd.counters import DemandWord, SourceState, StageWord
from ooblexd.frame import Verdict
from tests.support.control import JPEG
from tests.support.mjpeg import request_stream, watching
from tests.support.processes import eventually

if TYPE_CHECKING:
    import httpx

    from tests.support.control import ControlBench

STREAM = "/streams/door/stream.mjpg"
SNAPSHOT = "/streams/door/snapshot.jpg"
SNAPSHOT_ALIASES = (
    "/api/frame.jpeg?src=door",
    "/api/frame.jpeg?src=door&w=320&rotate=90&cache=1",
    "/api/door/latest.jpg",
    "/api/door/latest.jpg?h=277&cache=1732180000",
)


def test_a_part_carries_the_ledger_of_its_frame(bench: ControlBench) -> None:
    with watching(bench.port, STREAM) as viewer:
        bench.await_viewers("door", 1)
        header = bench.publish("door", age_ns=20 * NS_PER_MS)
        part = viewer.part()

    assert part is not None
    assert viewer.status == 200
    assert viewer.headers["content-type"].startswith("multipart/x-mixed-replace")
    assert part.body == JPEG
    assert part.headers["content-type"] == "image/jpeg"
    assert part.headers["x-picture"] == "live"
    assert part.headers["x-sequence"] == str(header.sequence)
    assert float(part.headers["x-capture-time"]) == pytest.approx(time.time(), abs=5)
    assert len(part.headers["x-capture-time"].partition(".")[2]) == 6
    assert 20 <= float(part.headers["x-frame-age-ms"]) < 5000


def test_the_boundary_after_a_picture_comes_with_it(bench: ControlBench) -> None:
    with request_stream(bench.port, STREAM) as end:
        bench.await_viewers("door", 1)
        bench.publish("door")
        received = b""
        while JPEG not in received:
            received += end.recv(65536)

    assert received.endswith(JPEG + b"\r\n--ooblexd-frame\r\n")


def test_a_slate_names_no_frame(bench: ControlBench) -> None:
    with watching(bench.port, STREAM) as viewer:
        bench.await_viewers("door", 1)
        bench.publish("door", verdict=Verdict.SLATE)
        part = viewer.part()

    assert part is not None
    assert part.headers["x-picture"] == "slate"
    names = ("x-sequence", "x-capture-time", "x-frame-age-ms")
    assert not any(name in part.headers for name in names)


@pytest.mark.usefixtures("patient")
def test_a_fresh_picture_is_shown_to_a_new_viewer_at_once(bench: ControlBench) -> None:
    bench.publish("door", b"newest")

    with watching(bench.port, STREAM) as viewer:
        part = viewer.part()

    assert part is not None
    assert part.body == b"newest"


def test_a_picture_that_has_not_passed_the_required_chain_is_never_sent(
    bench: ControlBench,
) -> None:
    with watching(bench.port, STREAM) as viewer:
        bench.await_viewers("door", 1)
        bench.require("door", 7)
        bench.publish("door", b"unprotected", revision=6)
        bench.publish("door", b"held", Verdict.HELD, revision=6)
        bench.publish("door", b"cover", Verdict.COVERED, revision=6)
        first = viewer.part()
        bench.publish("door", b"protected", revision=7)
        second = viewer.part()

    assert first is not None
    assert second is not None
    assert (first.body, second.body) == (b"cover", b"protected")


def test_a_live_picture_beyond_its_age_is_not_sent(bench: ControlBench) -> None:
    page = bench.board.page(bench.streams["door"].layout.output_page)
    page.words[StageWord.MAX_AGE_NS] = 20 * NS_PER_S
    with watching(bench.port, STREAM) as viewer:
        bench.await_viewers("door", 1)
        bench.publish("door", b"old", age_ns=30 * NS_PER_S)
        eventually(lambda: bench.demand("door", DemandWord.VIEWER_FRAMES) == 1)
        bench.publish("door", b"young", age_ns=NS_PER_S)
        part = viewer.part()

    assert part is not None
    assert part.body == b"young"


def test_a_viewer_sees_on_when_the_ring_gets_a_new_segment(bench: ControlBench) -> None:
    with watching(bench.port, STREAM) as viewer:
        bench.await_viewers("door", 1)
        bench.publish("door", b"before")
        before = viewer.part()
        bench.replace_segment("door")
        bench.publish("door", b"after")
        after = viewer.part()

    assert before is not None
    assert after is not None
    assert (before.body, after.body) == (b"before", b"after")


def test_demand_rises_with_the_first_viewer_and_falls_with_the_last(
    bench: ControlBench,
) -> None:
    with watching(bench.port, STREAM):
        bench.await_viewers("door", 1)
        with watching(bench.port, STREAM):
            bench.await_viewers("door", 2)
        bench.await_viewers("door", 1)

    bench.await_viewers("door", 0)


def test_a_killed_control_leaves_no_viewer_counted(bench: ControlBench) -> None:
    with watching(bench.port, STREAM):
        bench.await_viewers("door", 1)
        bench.stop(signal.SIGKILL)

    bench.start()

    bench.await_viewers("door", 0)


def test_a_stalled_viewer_costs_the_others_nothing(bench: ControlBench) -> None:
    count, picture = 150, bytes(100_000)
    with request_stream(bench.port, STREAM, 4096), watching(bench.port, STREAM) as good:
        bench.await_viewers("door", 2)
        before_bytes = resident_bytes(bench.pid)
        seen = []
        for _ in range(count):
            bench.publish("door", picture)
            part = good.part()
            assert part is not None
            seen.append(int(part.headers["x-sequence"]))
        grown_bytes = resident_bytes(bench.pid) - before_bytes

    assert seen == list(range(1, count + 1))
    assert grown_bytes < 8 << 20
    assert bench.demand("door", DemandWord.VIEWER_DROPPED) == 0  # nobody came back


def test_what_a_slow_viewer_passed_over_is_counted(bench: ControlBench) -> None:
    with request_stream(bench.port, STREAM, 4096) as end, end.makefile("rb") as file:
        bench.await_viewers("door", 1)
        last = [bench.publish("door", bytes(200_000)) for _ in range(60)][-1].sequence
        while b"x-sequence: %d\r\n" % last not in file.readline().lower():
            pass

    dropped = bench.demand("door", DemandWord.VIEWER_DROPPED)
    assert dropped > 0
    assert dropped + bench.demand("door", DemandWord.VIEWER_FRAMES) == last


def test_a_stream_that_is_removed_ends_for_its_viewers(bench: ControlBench) -> None:
    with watching(bench.port, STREAM) as viewer:
        bench.await_viewers("door", 1)
        bench.forget("door")

        assert viewer.part() is None


def test_control_ends_at_once_though_viewers_linger(bench: ControlBench) -> None:
    with (
        request_stream(bench.port, STREAM, 4096),
        watching(bench.port, STREAM) as good,
    ):
        bench.await_viewers("door", 2)
        for _ in range(20):
            bench.publish("door", bytes(200_000))
            assert good.part() is not None

        assert bench.stop() == 0
        assert good.part() is None  # it had read all, so its stream ends in order


def test_the_listener_refuses_nobody_while_control_is_replaced(
    bench: ControlBench,
) -> None:
    bench.stop(signal.SIGKILL)
    with request_stream(bench.port, STREAM) as early:
        bench.start()
        bench.await_viewers("door", 1)
        bench.publish("door")

        assert early.recv(12) == b"HTTP/1.1 200"


def test_fps_limits_the_rate(bench: ControlBench) -> None:
    with watching(bench.port, f"{STREAM}?fps=0.01") as viewer:
        bench.await_viewers("door", 1)
        bench.publish("door", b"first")
        first = viewer.part()
        bench.publish("door", b"too soon")
        eventually(lambda: bench.demand("door", DemandWord.VIEWER_FRAMES) == 2)
        bench.publish("door", b"cover", Verdict.COVERED)
        second = viewer.part()

    assert first is not None
    assert second is not None
    assert first.body == b"first"
    assert second.body == b"cover"  # a change of what is shown is never late


@pytest.mark.parametrize(
    "query", ["fps=0", "fps=1e-300", "fps=x", "fps=nan", "height=200", "what=1"]
)
def test_a_parameter_that_would_do_nothing_is_refused(
    bench: ControlBench, query: str
) -> None:
    with bench.client() as client:
        answer = client.get(f"{STREAM}?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["key"] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["src=door", "src=door&mode=mjpeg&fps=30"])
def test_clients_of_go2rtc_find_the_stream(bench: ControlBench, query: str) -> None:
    with watching(bench.port, f"/api/stream.mjpeg?{query}") as viewer:
        bench.await_viewers("door", 1)
        bench.publish("door")
        part = viewer.part()

    assert viewer.status == 200
    assert part is not None
    assert part.body == JPEG


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/stream.mjpeg?src=yard", 404),
        ("/api/frame.jpeg?src=yard", 404),
        ("/api/yard/latest.jpg?h=277", 404),
        ("/api/stream.mjpeg", 422),
        ("/api/frame.jpeg?name=door", 422),
    ],
)
def test_an_alias_of_no_stream_is_refused(
    bench: ControlBench, path: str, status: int
) -> None:
    with bench.client() as client:
        assert client.get(path).status_code == status


def test_head_says_what_a_stream_is_without_its_pictures(bench: ControlBench) -> None:
    with bench.client() as client:
        answer = client.head(STREAM)

    assert answer.status_code == 200
    assert bench.demand("door", DemandWord.VIEWERS) == 0


def snapshot(
    bench: ControlBench, path: str = SNAPSHOT
) -> tuple[threading.Thread, list[httpx.Response]]:
    answers: list[Any] = []

    def ask() -> None:
        with bench.client() as client:
            answers.append(client.get(path))

    thread = threading.Thread(target=ask)
    thread.start()
    wanted = DemandWord.JPEG_WANTED_UNTIL_NS
    eventually(lambda: bench.demand("door", wanted) > time.monotonic_ns())
    return thread, answers


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("path", [SNAPSHOT, *SNAPSHOT_ALIASES])
def test_a_snapshot_is_a_picture_encoded_after_the_question(
    bench: ControlBench, path: str
) -> None:
    bench.publish("door", b"before")
    thread, answers = snapshot(bench, path)
    bench.publish("door", b"held", Verdict.HELD)
    bench.publish("door", b"after")
    thread.join()

    assert answers[0].status_code == 200
    assert answers[0].content == b"after"
    assert answers[0].headers["content-type"] == "image/jpeg"
    assert answers[0].headers["x-picture"] == "live"
    assert bench.demand("door", DemandWord.VIEWERS) == 0


@pytest.mark.usefixtures("patient")
def test_a_snapshot_waits_for_a_chain_that_was_idle(bench: ControlBench) -> None:
    thread, answers = snapshot(bench)
    bench.publish("door", b"cover", Verdict.COVERED)
    assert thread.is_alive()
    bench.publish("door", b"live")
    thread.join()

    assert answers[0].content == b"live"


@pytest.fixture
def hasty(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cover be an answer soon, and an answer be waited for long."""
    del patient  # this comes after it
    refused = [
        (verdicts, min(until_s, 0.2) if Verdict.COVERED in verdicts else until_s)
        for verdicts, until_s in feeds._REFUSED
    ]
    monkeypatch.setattr(feeds, "_REFUSED", refused)


@pytest.mark.usefixtures("hasty")
def test_a_snapshot_of_a_stream_that_stays_covered_is_the_cover(
    bench: ControlBench,
) -> None:
    thread, answers = snapshot(bench)
    bench.publish("door", b"cover", Verdict.COVERED)
    thread.join()

    assert answers[0].content == b"cover"
    assert answers[0].headers["x-picture"] == "covered"


@pytest.mark.usefixtures("patient")
def test_a_snapshot_of_a_stream_that_is_down_gives_the_reason(
    bench: ControlBench,
) -> None:
    thread, answers = snapshot(bench)
    bench.source("door", SourceState.DOWN, "no route to the camera")
    bench.publish("door", verdict=Verdict.SLATE)
    thread.join()

    assert answers[0].status_code == 503
    assert answers[0].json()["reason"] == "no route to the camera"
    assert "last_frame_age_ms" in answers[0].json()


def test_a_snapshot_gives_up_where_no_picture_comes(bench: ControlBench) -> None:
    with bench.client() as client:
        answer = client.get(SNAPSHOT)

    assert answer.status_code == 503
    assert "no picture within 2 s" in answer.json()["detail"]


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:  # noqa: PTH123 # one line of one file
        return int(statm.read().split()[1]) * 4096
