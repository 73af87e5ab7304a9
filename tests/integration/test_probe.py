"""A source is looked at by API, in a process that ends with its client."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.appliance import Appliance
from tests.support.cameras import make_clips, rtsp_camera
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("probe"), "# no streams\n") as daemon:
        yield daemon


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Something that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"rtsp://u:hunter2@127.0.0.1:{server.getsockname()[1]}/x"


def ask(appliance: Appliance, source: object, **more: object) -> httpx.Response:
    body = {"source": source, **more}
    return httpx.post(f"{appliance.url}/api/v1/probe", json=body, timeout=40)


def probes(appliance: Appliance) -> list[int]:
    """Return the processes that look at a source for this daemon, and no other."""
    found = []
    control = appliance.pid_of("control")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            parent = (path.parent / "status").read_text().partition("\nPPid:\t")[2]
        except OSError:
            continue
        is_ours = int(parent.split()[0]) == control
        if is_ours and b"probe" in words and b"ooblexd" in words:
            found.append(int(path.parent.name))
    return found


def test_camera_is_told_and_one_that_fails_too(
    appliance: Appliance, tmp_path: Path
) -> None:
    with rtsp_camera(make_clips(tmp_path)) as camera:
        answer = ask(appliance, camera.url("h264", "digest"))
        wrong = ask(appliance, camera.url("h264", "digest", "u:hunter2@"))

    assert answer.status_code == wrong.status_code == 200
    video = answer.json()["video"]
    assert (video["codec"], video["width"], video["height"]) == ("h264", 640, 360)
    assert answer.json()["source"].startswith("rtsp://***@127.0.0.1:")
    assert (wrong.json()["ok"], wrong.json()["reason"]) == (
        False,
        "login refused (401)",
    )
    assert "hunter2" not in wrong.text + appliance.log()


@pytest.mark.parametrize("source", ["exec:true", "file:/etc/passwd", "/dev/video0"])
def test_what_only_the_file_may_name_is_not_looked_at(
    appliance: Appliance, source: str
) -> None:
    answer = ask(appliance, source)

    assert answer.status_code == 403
    assert "only the configuration file may name" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({}, "source"),
        ({"source": 3}, "source"),
        ({"source": "camera"}, "source"),
        ({"source": "rtsp://h/\n--x"}, "source"),
        ({"source": "--json"}, "source"),
        ({"source": "demo:", "transport": "pigeon"}, "transport"),
        ({"source": "demo:", "x": 1}, "x"),
    ],
)
def test_what_is_no_source_is_refused_with_its_key(
    appliance: Appliance, body: dict[str, object], key: str
) -> None:
    answer = appliance.request("POST", "/api/v1/probe", body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["key"] == key


def test_a_few_are_looked_at_at_once_while_control_serves(
    appliance: Appliance, silent_server: str
) -> None:
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(appliance, silent_server)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(probes(appliance)) >= 3)

    refused = ask(appliance, "demo:")

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "5"
    assert appliance.request("GET", "/healthz").status_code == 200
    assert not answers
    for thread in threads:
        thread.join()
    assert [answer.json()["reason"] for answer in answers] == [
        "no answer within 10 s"
    ] * 3
    assert ask(appliance, "demo:").json()["ok"]


def test_probe_ends_with_the_client_that_asked_for_it(
    appliance: Appliance, silent_server: str
) -> None:
    body = f'{{"source": "{silent_server}"}}'.encode()
    request = (
        b"POST /api/v1/probe HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with socket.create_connection(("127.0.0.1", appliance.port)) as client:
        client.sendall(request + body)
        eventually(lambda: len(probes(appliance)) == 1)
        [pid] = probes(appliance)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()

    eventually(lambda: not probes(appliance))
    assert b"hunter2" not in command
