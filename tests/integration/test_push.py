"""Pushes of a running daemon: servers and workers come and go, keys stay secret."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.sources.test_mpegts import free_port
from tests.support.appliance import Appliance
from tests.support.beeps import beeping_encoder
from tests.support.browser import open_browser
from tests.support.cameras import require_ffmpeg
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually
from tests.support.rtmp_server import RtmpServer, probed
from tests.support.whip_server import SHOWS_ADDRESSES, TOKEN, whip_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

KEY = "topsecretkey"
STREAMS = "/api/v1/streams"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    require_ffmpeg()
    with RtmpServer(tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, server: RtmpServer
) -> Iterator[Appliance]:
    toml = f"""
[streams.demo]
source = "demo:"
push = ["{server.url}/live/{KEY}"]
[streams.quiet]
source = "upload:"
push = [{{ url = "{server.url}/live/quiet" }}]
"""
    with Appliance(tmp_path_factory.mktemp("push"), toml) as running:
        yield running


def pushes(daemon: Appliance, stream: str = "demo") -> list[dict[str, Any]]:
    found: Any = daemon.stream(stream)["pushes"]
    assert isinstance(found, list)
    return found


def await_state(daemon: Appliance, *states: str, stream: str = "demo") -> None:
    eventually(lambda: tuple(p["state"] for p in pushes(daemon, stream)) == states, 40)


def await_probed(url: str, *tracks: str) -> None:
    eventually(lambda: probed(url) == list(tracks), 40)


def since_of(daemon: Appliance) -> datetime:
    """Return since when the first push of the demo is in its state."""
    told: str = pushes(daemon)[0]["since"]
    return datetime.fromisoformat(told.replace("Z", "+00:00"))


def test_a_platform_gets_the_stream_though_nobody_looks(
    daemon: Appliance, server: RtmpServer
) -> None:
    await_state(daemon, "running")

    await_probed(f"{server.url}/live/{KEY}", "aac", "h264 1280x720")
    [push] = pushes(daemon)
    assert push["url"] == f"{server.url}/live/***"
    assert push["reason"] == ""
    assert push["since"].endswith("Z")
    assert daemon.stream("demo")["viewers"] == 0
    assert daemon.stream("demo")["is_idle"] is False


def test_without_a_source_a_slate_is_pushed(
    daemon: Appliance, server: RtmpServer
) -> None:
    await_state(daemon, "running", stream="quiet")

    await_probed(f"{server.url}/live/quiet", "aac", "h264 1280x720")


def test_a_server_that_goes_is_told_and_comes_back(
    daemon: Appliance, server: RtmpServer
) -> None:
    await_state(daemon, "running")
    before = pushes(daemon)[0]["sent"]
    server.stop()
    check = f"push:demo:{server.url}/live/***"

    eventually(lambda: pushes(daemon)[0]["reason"] == "connection refused", 30)
    health = daemon.request("GET", "/health").json()
    assert health["status"] == "degraded"
    assert health["checks"][check]["reason"] == "connection refused"
    metrics = daemon.request("GET", "/metrics").text
    labels = f'{{push="{server.url}/live/***",stream="demo"}}'
    assert f"ooblexd_push_up{labels} 0.0" in metrics

    server.start()
    await_state(daemon, "running")
    eventually(lambda: pushes(daemon)[0]["sent"] > before + 30)
    metrics = daemon.request("GET", "/metrics").text
    assert f"ooblexd_push_up{labels} 1.0" in metrics


def test_a_killed_worker_pushes_again_and_has_counted_on(daemon: Appliance) -> None:
    await_state(daemon, "running")
    before = pushes(daemon)[0]["sent"]

    former = hit(daemon, "output:demo", signal.SIGKILL)
    eventually(lambda: is_replaced(daemon, "output:demo", former))

    await_state(daemon, "running")
    assert pushes(daemon)[0]["sent"] > before


def test_a_change_touches_no_other_push_and_no_key_is_shown(
    daemon: Appliance, server: RtmpServer
) -> None:
    await_state(daemon, "running")
    since = since_of(daemon)
    # What begins anew tells another time, by more than it is cut and rounded.
    eventually(lambda: datetime.now(timezone.utc) - since > timedelta(seconds=5))
    ingest, output = daemon.pid_of("ingest:demo"), daemon.pid_of("output:demo")
    shown = daemon.stream("demo")["push"]
    assert isinstance(shown, list)

    wanted = [*shown, f"{server.url}/live/second"]
    answer = daemon.request("PATCH", f"{STREAMS}/demo", json={"push": wanted})
    assert answer.status_code == 200, answer.text
    await_state(daemon, "running", "running")
    assert abs(since_of(daemon) - since) <= timedelta(seconds=2), daemon.log()
    assert f"{server.url}/live/{KEY}" in daemon.config.read_text()
    eventually(lambda: "h264 1280x720" in probed(f"{server.url}/live/second"), 40)

    unclear = daemon.request("PATCH", f"{STREAMS}/demo", json={"push": shown})
    assert unclear.status_code == 422
    assert "write the key out" in unclear.json()["detail"]
    only = [f"{server.url}/live/{KEY}"]
    changed = daemon.request("PATCH", f"{STREAMS}/demo", json={"push": only})
    assert changed.status_code == 200, changed.text
    await_state(daemon, "running")
    assert abs(since_of(daemon) - since) <= timedelta(seconds=2), daemon.log()
    assert daemon.pid_of("ingest:demo") == ingest
    assert daemon.pid_of("output:demo") == output

    refused = daemon.request(
        "PATCH", f"{STREAMS}/demo", json={"push": ["exec:touch /tmp/x"]}
    )
    assert refused.status_code == 403
    everything = [daemon.request("GET", path).text for path in _EVERYTHING]
    assert KEY not in "".join([*everything, daemon.log()])


_EVERYTHING = ("/metrics", "/health", STREAMS, "/api/v1/config")


def test_a_whip_server_gets_the_stream_by_webrtc(tmp_path: Path) -> None:
    port = free_port()
    with (
        open_browser(SHOWS_ADDRESSES) as browser,
        whip_server(browser) as server,
        beeping_encoder(port, "-c:a", "aac"),
    ):
        toml = f"""
[streams.beeps]
source = "udp://127.0.0.1:{port}"
effects = []
push = ["whip://{TOKEN}@{server.place}"]
"""
        with Appliance(tmp_path, toml) as daemon:
            server.await_frames(45)
            eventually(lambda: server.heard_samples() > 24_000)  # half a second

            assert server.stats()["frameWidth"] > 0
            assert pushes(daemon, "beeps")[0]["state"] == "running"
            daemon.request("PATCH", f"{STREAMS}/beeps", json={"push": []})
            assert server.deleted.wait(5)
            assert TOKEN not in daemon.log()
