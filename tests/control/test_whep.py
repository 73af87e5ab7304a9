"""WHEP as clients say it; who answers them in truth is in tests/integration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ooblexd.commands import ConfigStatus, Runs, send
from ooblexd.counters import DemandWord, StageWord
from ooblexd.ice import parse_settings
from ooblexd.plan import DaemonPlan, IceServerPlan, WebrtcPlan, format_plan
from ooblexd.signalling import Signal, Signalled
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.control import ControlBench

OFFER = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
WHEP = "/streams/door/whep"


def answered(signal: Signal) -> Signalled:
    body = "v=0\r\nthe answer" if signal.verb == "offer" else ""
    return Signalled(signal.request, peer=signal.peer or "a-peer", body=body)


def tell(bench: ControlBench, webrtc: WebrtcPlan) -> None:
    """Say to control, in the supervisor's name, what runs from now on."""
    path = str(bench.config_path)
    daemon = DaemonPlan("127.0.0.1", bench.port, path, webrtc=webrtc)
    send(bench.end, ConfigStatus(Runs.FILE.value, [], format_plan(daemon), [], ""))


@pytest.fixture
def client(bench: ControlBench) -> Iterator[httpx.Client]:
    bench.signalled = answered
    with bench.client() as found:
        yield found


def test_an_offer_is_answered_with_a_session(
    bench: ControlBench, client: httpx.Client
) -> None:
    answer = client.post(WHEP, content="v=0\r\nthe offer", headers=OFFER)

    assert answer.status_code == 201, answer.text
    assert answer.text == "v=0\r\nthe answer"
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["location"] == f"{WHEP}/a-peer"
    assert answer.headers["etag"] == '"a-peer"'
    assert answer.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    (signal,) = bench.signals
    assert (signal.stream, signal.body) == ("door", "v=0\r\nthe offer")
    assert bench.demand("door", DemandWord.PEER_WANTED_UNTIL_NS) > 0


def test_candidates_and_the_end_reach_the_session(
    bench: ControlBench, client: httpx.Client
) -> None:
    taken = client.patch(f"{WHEP}/a-peer", content="a=mid:0", headers=FRAGMENT)
    ended = client.delete(f"{WHEP}/a-peer")

    assert (taken.status_code, ended.status_code) == (204, 200)
    assert [(s.verb, s.peer, s.body) for s in bench.signals] == [
        ("candidates", "a-peer", "a=mid:0"),
        ("end", "a-peer", ""),
    ]


def test_candidates_of_another_session_are_refused(client: httpx.Client) -> None:
    headers = {**FRAGMENT, "If-Match": '"another"'}
    answer = client.patch(f"{WHEP}/a-peer", content="a=mid:0", headers=headers)

    assert answer.status_code == 412


def test_what_the_worker_refuses_is_told_in_its_words(
    bench: ControlBench, client: httpx.Client
) -> None:
    bench.signalled = lambda signal: Signalled(signal.request, "no video in it", 400)
    answer = client.post(WHEP, content="v=0", headers=OFFER)

    assert answer.status_code == 400
    assert answer.json()["detail"] == "no video in it"


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"v=0", {"Content-Type": "text/plain"}, 415),
        (b"v=0", {}, 415),
        (b"\xff\xfe", OFFER, 400),
        (b"x" * 70_000, OFFER, 413),
    ],
)
def test_what_is_no_offer_reaches_nobody(
    bench: ControlBench,
    client: httpx.Client,
    content: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = client.post(WHEP, content=content, headers=headers)

    assert answer.status_code == status
    assert not bench.signals


def test_a_foreign_page_cannot_watch(bench: ControlBench, client: httpx.Client) -> None:
    headers = {**OFFER, "Origin": "https://example.net"}
    answer = client.post(WHEP, content="v=0", headers=headers)

    assert answer.status_code == 403
    assert not bench.signals


def test_a_stream_that_is_not_there_has_no_session(client: httpx.Client) -> None:
    answers = [
        client.post("/streams/attic/whep", content="v=0", headers=OFFER),
        client.delete("/streams/attic/whep/a-peer"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


def test_servers_of_the_configuration_are_told_before_and_with_the_answer(
    bench: ControlBench, client: httpx.Client
) -> None:
    turn = IceServerPlan(("turn:turn.example.net",), "box", "hunter2")
    timed = IceServerPlan(("turn:other.example.net",), secret="north")  # noqa: S106 # a test's
    tell(bench, WebrtcPlan(ice_servers=(turn, timed)))
    eventually(lambda: "link" in client.options(WHEP).headers)

    options = client.options(WHEP)
    answer = client.post(WHEP, content="v=0\r\nthe offer", headers=OFFER)

    assert options.status_code == 204
    assert options.headers["accept-post"] == "application/sdp"
    for said in (options, answer):
        first, second = said.headers.get_list("link")
        assert first == (
            '<turn:turn.example.net>; rel="ice-server"; username="box"; '
            'credential="hunter2"; credential-type="password"'
        )
        assert re.search(r'username="\d+:ooblexd"; credential="[^"]{28}"', second)
    (signal,) = bench.signals
    first_told, second_told = parse_settings(signal.settings).servers
    assert (first_told.username, first_told.credential) == ("box", "hunter2")
    assert second_told.username.endswith(":ooblexd")
    assert "north" not in signal.settings + str(options.headers) + str(answer.headers)


def test_each_path_says_what_it_takes(client: httpx.Client) -> None:
    assert client.options("/streams/attic/whep").status_code == 404
    assert "POST" in client.options(WHEP).headers["allow"]
    assert "PATCH" in client.options(f"{WHEP}/a-peer").headers["allow"]


def test_who_watches_by_webrtc_is_counted(
    bench: ControlBench, client: httpx.Client
) -> None:
    page = bench.streams["door"].layout.output_page
    words = bench.board.page(page).words
    words[StageWord.PEERS] = 3
    words[StageWord.PEER_FRAMES], words[StageWord.PEER_DROPPED] = 40, 5

    metrics = client.get("/metrics").text
    assert 'ooblexd_viewers{protocol="webrtc",stream="door"} 3.0' in metrics
    labels = '{protocol="webrtc",stream="door"}'
    assert f"ooblexd_viewer_frames_total{labels} 40.0" in metrics
    assert f"ooblexd_viewer_frames_dropped_total{labels} 5.0" in metrics
    assert client.get("/api/v1/streams/door").json()["viewers"] == 3
