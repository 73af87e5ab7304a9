"""The diagnosis as the API gives it; with real servers in tests/integration."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from ooblexd.signalling import Signalled

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.control import ControlBench

DIAGNOSE = "/api/v1/webrtc/diagnose"


@pytest.fixture
def client(bench: ControlBench) -> Iterator[httpx.Client]:
    with bench.client() as found:
        yield found


def items(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {one["check"]: one for one in answer.json()["items"]}


@pytest.mark.usefixtures("patient")
def test_failures_of_late_are_told_with_the_reason(
    bench: ControlBench, client: httpx.Client
) -> None:
    now_s = time.time()
    body = json.dumps(
        [
            {"at_unix_s": now_s - 4000, "reason": "long ago"},
            {"at_unix_s": now_s - 30, "reason": "refused: no codec in common"},
        ]
    )
    bench.signalled = lambda signal: Signalled(signal.request, body=body)

    found = items(client.get(DIAGNOSE))["stream door"]

    assert found["status"] == "warn"
    assert found["detail"].startswith("1 failed in the last ten minutes; the last 3")
    assert found["detail"].endswith("refused: no codec in common")
    assert found["remedy"] == "the player must know H.264 or VP8"


def test_a_worker_that_does_not_answer_holds_nobody_up(
    bench: ControlBench, client: httpx.Client
) -> None:
    bench.signalled = lambda _: None

    found = items(client.get(DIAGNOSE))

    assert "does not answer" in found["stream door"]["detail"]
    assert {"addresses", "udp ports", "other networks"} <= found.keys()


def test_a_page_by_http_from_elsewhere_may_use_no_camera(
    bench: ControlBench, client: httpx.Client
) -> None:
    bench.signalled = lambda signal: Signalled(signal.request, body="[]")
    by_proxy = {"X-Forwarded-Proto": "https"}

    assert items(client.get(DIAGNOSE))["page"]["status"] == "ok"
    assert items(client.get(DIAGNOSE, headers=by_proxy))["page"]["status"] == "ok"
    assert client.get(DIAGNOSE, headers={"Host": "box.lan"}).status_code == 403
