"""WHIP as clients say it; who answers them in truth is in tests/integration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.plan import StreamPlan
from ooblexd.signalling import SessionKind, Signal, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.control import ControlBench

OFFER = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
WHIP = "/streams/door/whip"
KEY = "geheim-7"


def answered(signal: Signal) -> Signalled:
    body = "v=0\r\nthe answer" if signal.verb == "offer" else ""
    return Signalled(signal.request, peer=signal.peer or "a-peer", body=body)


@pytest.fixture
def client(bench: ControlBench) -> Iterator[httpx.Client]:
    bench.signalled = answered
    bench.change(StreamPlan("door", "whip:"))
    with bench.client() as found:
        yield found


def test_an_offer_is_answered_with_a_session(
    bench: ControlBench, client: httpx.Client
) -> None:
    answer = client.post(WHIP, content="v=0\r\nthe offer", headers=OFFER)

    assert answer.status_code == 201, answer.text
    assert answer.text == "v=0\r\nthe answer"
    assert answer.headers["location"] == f"{WHIP}/a-peer"
    assert answer.headers["etag"] == '"a-peer"'
    assert answer.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    taken = client.patch(f"{WHIP}/a-peer", content="a=mid:0", headers=FRAGMENT)
    ended = client.delete(f"{WHIP}/a-peer")
    assert (taken.status_code, ended.status_code) == (204, 200)
    assert {signal.kind for signal in bench.signals} == {SessionKind.PUBLISH.value}
    assert [(s.verb, s.peer) for s in bench.signals] == [
        ("offer", ""),
        ("candidates", "a-peer"),
        ("end", "a-peer"),
    ]


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"Authorization": "Bearer falsch"}, "", 401),
        ({"Authorization": f"Basic {KEY}"}, "", 401),
        ({}, "?token=falsch", 401),
        ({"Authorization": f"Bearer {KEY}"}, "", 201),
        ({"Authorization": f"bearer  {KEY}"}, "", 201),
        ({}, f"?token={KEY}", 201),
    ],
)
def test_a_stream_with_a_key_asks_for_it(
    bench: ControlBench,
    client: httpx.Client,
    headers: dict[str, str],
    query: str,
    status: int,
) -> None:
    bench.change(StreamPlan("door", "whip:", publish_key=KEY))
    answer = client.post(WHIP + query, content="v=0", headers={**OFFER, **headers})

    assert answer.status_code == status
    assert len(bench.signals) == (status == 201)
    if status == 401:
        assert answer.headers["www-authenticate"] == 'Bearer realm="door"'
        assert "publish_key" in answer.json()["detail"]
    assert KEY not in answer.text


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (StreamPlan("door", "demo:"), 'its source is not "whip:"'),
        (StreamPlan("door", "whip:", enabled=False), "is switched off"),
    ],
)
def test_a_stream_that_is_not_published_to_says_so(
    bench: ControlBench, client: httpx.Client, plan: StreamPlan, words: str
) -> None:
    bench.change(plan)
    answer = client.post(WHIP, content="v=0", headers=OFFER)

    assert answer.status_code == 409
    assert words in answer.json()["detail"]
    assert not bench.signals


def test_a_stream_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    answer = client.post("/streams/attic/whip", content="v=0", headers=OFFER)

    assert answer.status_code == 404


def test_a_slash_at_the_end_changes_nothing(client: httpx.Client) -> None:
    answer = client.post(f"{WHIP}/", content="v=0", headers=OFFER)

    assert answer.status_code == 201
    assert answer.headers["location"] == f"{WHIP}/a-peer"


def test_options_say_what_may_be_posted(client: httpx.Client) -> None:
    answer = client.options(WHIP)

    assert answer.status_code == 204
    assert answer.headers["accept-post"] == "application/sdp"


def test_a_key_is_never_shown(bench: ControlBench, client: httpx.Client) -> None:
    bench.change(StreamPlan("door", "whip:", publish_key=KEY))
    shown = client.get("/api/v1/streams/door")

    assert shown.json()["publish_key"] == "***"
    assert KEY not in shown.text
