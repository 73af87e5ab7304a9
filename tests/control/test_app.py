from __future__ import annotations

import http.client
import re
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.config.load import load_config
from ooblexd.control import worker
from ooblexd.control.bodies import MAX_BODY_BYTES
from ooblexd.counters import SourceState, StageWord
from ooblexd.detection import Label
from ooblexd.errors import SharedMemoryFullError
from ooblexd.heartbeat import WorkerState, WorkerWord
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.control import ControlBench

NEW = {"name": "yard", "source": "rtsp://me:hush@192.0.2.7/s", "effects": []}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(bench: ControlBench) -> Iterator[httpx.Client]:
    with bench.client() as found:
        yield found


# What everything has in common.


def test_an_unknown_path_is_a_problem_document(client: httpx.Client) -> None:
    answer = client.get("/api/v1/recordings")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == {"type", "title", "status", "detail"}


@pytest.mark.parametrize(
    "path",
    ["/api/v1/models", "/api/v1/recordings"],
)
def test_what_is_not_built_yet_does_not_pretend(
    client: httpx.Client, path: str
) -> None:
    assert client.post(path, content="v=0").status_code == 404


def test_a_wrong_method_says_which_are_right(client: httpx.Client) -> None:
    answer = client.post("/health", json={})

    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_answer_carries_the_request_id(client: httpx.Client) -> None:
    given = client.get("/nothing", headers={"X-Request-ID": "abc-1"})
    new = client.get("/health")

    assert given.headers["x-request-id"] == "abc-1"
    assert re.fullmatch("[0-9a-f]{32}", new.headers["x-request-id"])


def test_a_foreign_host_is_refused_whatever_it_asks(client: httpx.Client) -> None:
    answer = client.get("/health", headers={"Host": "evil.example"})

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_change_from_another_origin_is_refused(
    bench: ControlBench, client: httpx.Client
) -> None:
    origin = {"Origin": "http://evil.example"}

    assert client.post("/api/v1/streams", json=NEW, headers=origin).status_code == 403
    assert not bench.wishes
    own = {"Origin": bench.url}
    assert client.post("/api/v1/streams", json=NEW, headers=own).status_code == 201


def test_a_change_that_a_form_could_send_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/v1/streams", content=b"{}")

    assert answer.status_code == 415
    origin = {"Origin": "http://evil.example"}
    assert client.delete("/api/v1/streams/door", headers=origin).status_code == 403


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    answer = client.post(
        "/api/v1/streams", content=bytes(MAX_BODY_BYTES + 1), headers=JSON
    )

    assert answer.status_code == 413


def test_a_body_that_is_no_json_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/v1/streams", content=b"{", headers=JSON)

    assert answer.status_code == 400


def test_the_page_may_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    answer = client.get("/")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)


def test_every_file_that_the_page_names_is_there(client: httpx.Client) -> None:
    page = client.get("/").text
    names = set(re.findall(r"/static/[a-z.]+", page)) | {"/static/player.js"}

    assert {client.get(name).status_code for name in names} == {200}


def test_a_file_that_has_not_changed_is_not_sent_again(client: httpx.Client) -> None:
    tag = client.get("/static/ooblexd.js").headers["etag"]

    again = client.get("/static/ooblexd.js", headers={"If-None-Match": tag})

    assert again.status_code == 304


def test_each_path_says_what_is_possible_there(client: httpx.Client) -> None:
    answer = client.options("/api/v1/streams/door")

    assert answer.status_code == 204
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert "access-control-allow-origin" not in answer.headers
    assert client.options("/nothing").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/", "/health", "/metrics", "/openapi.json", "/api/v1/streams"],
)
def test_the_head_of_an_answer_is_had_alone(client: httpx.Client, path: str) -> None:
    answer, whole = client.head(path), client.get(path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == whole.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/" + "x" * 5000,
        "/api/v1/streams/" + "x" * 5000,
        "/streams/door/snapshot.jpg?" + "&".join(f"{n}={n}" for n in range(5000)),
    ],
)
def test_a_long_question_has_a_short_answer(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code in (404, 422)
    assert len(answer.content) < 4000
    assert "…" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "header", "types"),
    [
        ("/streams/door/whep", "accept-post", "application/sdp"),
        ("/streams/door/frame", "accept-post", "image/jpeg, image/png, image/webp"),
        ("/api/v1/streams/door", "accept-patch", "application/json"),
    ],
)
def test_it_is_told_which_bodies_a_path_takes(
    client: httpx.Client, path: str, header: str, types: str
) -> None:
    assert client.options(path).headers[header] == types
    assert header not in client.get("/health").headers


def test_a_body_of_another_type_is_told_which_one_would_do(
    client: httpx.Client,
) -> None:
    answer = client.put("/api/v1/streams/door/effects", content="[]")

    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")


def test_an_upgrade_of_http_is_passed_over(client: httpx.Client) -> None:
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"}

    assert client.get("/healthz", headers=upgrade).status_code == 200


# Health and metrics.


def test_all_as_configured_is_healthy(client: httpx.Client) -> None:
    answer = client.get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"


def test_a_source_that_is_down_degrades(
    bench: ControlBench, client: httpx.Client
) -> None:
    bench.source("door", SourceState.DOWN, "wrong password")

    answer = client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    expected = {"status": "degraded", "reason": "wrong password"}
    assert answer.json()["checks"]["source:door"] == expected


def test_a_worker_that_was_given_up_degrades(
    bench: ControlBench, client: httpx.Client
) -> None:
    page = bench.board.page(bench.workers["inference:0"])
    page.words[WorkerWord.STATE] = WorkerState.GIVEN_UP

    checks = client.get("/health").json()["checks"]

    assert checks["worker:inference:0"]["status"] == "degraded"
    assert checks["engines"]["status"] == "degraded"


def test_an_overdue_supervisor_is_unhealthy(
    bench: ControlBench, client: httpx.Client
) -> None:
    bench.beat(-4)

    assert client.get("/health").status_code == 503
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_no_memory_for_any_stream_is_unhealthy(bench: ControlBench) -> None:
    bench.stop()
    yard = replace(bench.streams["door"].plan, name="yard")
    bench.add_stream(yard)
    bench.streams["door"].is_without_memory = True
    bench.start()
    bench.source("door", SourceState.DOWN, "shared memory: 9 MiB needed, 1 MiB free")
    bench.source("yard", SourceState.DOWN, "no route")

    with bench.client() as client:
        one_has_some = client.get("/health")
        bench.change(replace(yard, enabled=False))
        eventually(lambda: client.get("/health").status_code == 503)
        none_has = client.get("/health").json()

    assert (one_has_some.status_code, one_has_some.json()["status"]) == (
        200,
        "degraded",
    )
    assert none_has["status"] == "unhealthy"
    assert "9 MiB" in none_has["checks"]["shm"]["reason"]


def test_the_uptime_is_the_daemons(bench: ControlBench, client: httpx.Client) -> None:
    page = bench.board.page(bench.supervisor_page)
    page.words[WorkerWord.STATE_SINCE_NS] -= 90 * NS_PER_S

    assert 90 <= client.get("/health").json()["uptime_s"] < 120


def test_metrics_speak_the_names_of_the_contract(
    bench: ControlBench, client: httpx.Client
) -> None:
    inference = bench.streams["door"].layout.inference_page
    bench.board.page(inference).words[StageWord.DETECTED + Label.FACE] = 3
    client.get("/nothing")
    text = client.get("/metrics").text

    for line in (
        'ooblexd_source_up{stream="door"} 1.0',
        'ooblexd_frames_total{stage="ingest",stream="door"} 0.0',
        'ooblexd_frames_dropped_total{reason="rate",stage="ingest",stream="door"} 0.0',
        'ooblexd_frame_age_seconds_bucket{le="0.001",stage="output",stream="door"} 0.0',
        'ooblexd_stage_duration_seconds_count{stage="inference",stream="door"} 0.0',
        'ooblexd_covered_frames_total{stream="door"} 0.0',
        'ooblexd_detections_total{label="face",stream="door"} 3.0',
        'ooblexd_viewers{protocol="mjpeg",stream="door"} 0.0',
        'ooblexd_viewer_frames_dropped_total{protocol="mjpeg",stream="door"} 0.0',
        'ooblexd_worker_restarts_total{worker="inference:0"} 0.0',
        'ooblexd_worker_up{worker="control"} 1.0',
        'ooblexd_http_requests_total{method="GET",path="other",status="404"} 1.0',
    ):
        assert labels_sorted(line) in map(labels_sorted, text.splitlines())
    assert "ooblexd_build_info{" in text
    resident = re.search(r'resident_bytes{worker="control"} (\S+)', text)
    assert resident is not None
    assert float(resident[1]) > 1e6


def labels_sorted(line: str) -> str:
    name, _, rest = line.partition("{")
    labels, _, value = rest.rpartition("}")
    return f"{name}{sorted(labels.split(','))}{value}"


def test_metrics_pass_promtool(client: httpx.Client) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool: apt-get install prometheus")
    text = client.get("/metrics").content

    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


# Streams.


def test_who_asks_before_the_streams_are_known_is_not_told_there_are_none(
    bench: ControlBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LAYOUT_WITHIN_S", 30.0)
    bench.stop()
    bench.start(tells_layout=False)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(httpx.get, f"{bench.url}/api/v1/streams/door")
        assert not wait([answer], timeout=0.3).done  # enough for one that is not held
        bench.tell_layout()
        assert answer.result(20).status_code == 200


def test_a_stream_is_shown_without_its_secret(client: httpx.Client) -> None:
    answer = client.get("/api/v1/streams/door")

    stream = answer.json()
    assert stream["source"] == "rtsp://***@192.0.2.20/stream1"
    assert "secret" not in answer.text
    assert stream["effects"][0]["effect"] == "blur_faces"
    assert stream["effects"][0]["on_failure"] == "cover"
    assert stream["state"] == "running"


def test_the_list_shows_the_same(client: httpx.Client) -> None:
    listed = client.get("/api/v1/streams").json()

    assert listed["next"] is None
    assert [item["name"] for item in listed["items"]] == ["door"]


def test_a_stream_is_added_and_survives_a_restart(
    client: httpx.Client, config_path: Path
) -> None:
    answer = client.post("/api/v1/streams", json=NEW)

    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/v1/streams/yard"
    assert client.get(answer.headers["location"]).json()["name"] == "yard"
    written = load_config(config_path, {}).streams
    assert written["yard"].source == NEW["source"]
    assert "# by the letter box" in config_path.read_text()


@pytest.mark.parametrize(
    ("table", "status", "key"),
    [
        ({"name": "door", "source": "demo:"}, 409, "name"),
        ({"source": "demo:"}, 422, "name"),
        ({"name": "No!", "source": "demo:"}, 422, "name"),
        ({"name": "yard"}, 422, "source"),
        ({"name": "yard", "source": "gopher://x"}, 422, "source"),
        ({"name": "yard", "source": "demo:", "fsp": 3}, 422, "fsp"),
        ({"name": "yard", "source": "file:/etc/passwd"}, 403, "source"),
        ({"name": "yard", "source": "exec:reboot"}, 403, "source"),
        ({"name": "yard", "source": "/dev/video0"}, 403, "source"),
        (
            {"name": "yard", "source": "demo:", "effects": [{"effect": "blurr"}]},
            422,
            "effects[0]",
        ),
    ],
)
def test_a_wrong_stream_is_refused_with_the_key(
    bench: ControlBench,
    client: httpx.Client,
    table: dict[str, object],
    status: int,
    key: str,
) -> None:
    answer = client.post("/api/v1/streams", json=table)

    assert answer.status_code == status, answer.text
    assert [error["key"] for error in answer.json()["errors"]] == [key]
    assert not bench.wishes


def test_too_little_shared_memory_is_said_with_the_numbers(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    full = SharedMemoryFullError(80 << 20, 5 << 20)
    bench.answer = lambda _: (str(full), full.needed_bytes, full.free_bytes)
    before = config_path.read_bytes()

    answer = client.post("/api/v1/streams", json=NEW)

    assert answer.status_code == 507
    assert answer.json()["needed_bytes"] == 80 << 20
    assert answer.json()["free_bytes"] == 5 << 20
    assert config_path.read_bytes() == before
    assert [path.name for path in config_path.parent.iterdir()] == [config_path.name]


def test_a_patch_changes_what_it_names(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    patch = {"max_fps": 10, "source": "rtsp://***@192.0.2.20/stream2"}

    answer = client.patch("/api/v1/streams/door", json=patch)

    assert answer.status_code == 200
    assert answer.json()["max_fps"] == 10
    assert bench.streams["door"].plan.source == "rtsp://user:secret@192.0.2.20/stream2"
    written = load_config(config_path, {}).streams["door"]
    assert written.source == "rtsp://user:secret@192.0.2.20/stream2"


def test_a_patch_of_what_was_changed_meanwhile_is_refused(client: httpx.Client) -> None:
    tag = client.get("/api/v1/streams/door").headers["etag"]
    first = client.patch(
        "/api/v1/streams/door", json={"max_fps": 10}, headers={"If-Match": tag}
    )
    second = client.patch(
        "/api/v1/streams/door", json={"max_fps": 20}, headers={"If-Match": tag}
    )

    assert (first.status_code, second.status_code) == (200, 412)


def test_effects_are_replaced_on_the_running_stream(
    client: httpx.Client, config_path: Path
) -> None:
    answer = client.put("/api/v1/streams/door/effects", json=["pixelate_faces"])

    assert answer.status_code == 202
    assert [item["effect"] for item in answer.json()["effects"]] == ["pixelate_faces"]
    written = load_config(config_path, {}).streams["door"]
    assert [effect.effect for effect in written.effects] == ["pixelate_faces"]


def test_a_change_of_effects_shows_the_readings_that_there_are(
    bench: ControlBench, client: httpx.Client
) -> None:
    page = bench.board.page(bench.streams["door"].layout.ingest_page)

    def is_read() -> bool:
        page.words[StageWord.FRAMES_OUT] += 30
        return bool(client.get("/api/v1/streams/door").json()["fps_in"])

    eventually(is_read)
    for effect in ("pixelate_faces", "blur_faces"):  # the second has seen the first
        answer = client.put("/api/v1/streams/door/effects", json=[effect])
        assert answer.json()["fps_in"] > 0


def test_a_removed_stream_is_gone_from_file_and_daemon(
    client: httpx.Client, config_path: Path
) -> None:
    answer = client.delete("/api/v1/streams/door")

    assert answer.status_code == 204
    assert client.get("/api/v1/streams/door").status_code == 404
    assert client.get("/streams/door/stream.mjpg").status_code == 404
    assert not load_config(config_path, {}).streams


def test_changes_come_one_after_another(
    bench: ControlBench, client: httpx.Client
) -> None:
    ends = [
        http.client.HTTPConnection("127.0.0.1", bench.port, timeout=10)
        for _ in range(4)
    ]
    for number, end in enumerate(ends):
        body = f'{{"name": "cam{number}", "source": "demo:"}}'
        end.request("POST", "/api/v1/streams", body, JSON)

    statuses = [end.getresponse().status for end in ends]
    for end in ends:
        end.close()

    assert statuses == [201] * 4
    assert len(client.get("/api/v1/streams").json()["items"]) == 5


def test_what_a_killed_daemon_left_is_gone_after_the_start(
    bench: ControlBench, config_path: Path
) -> None:
    bench.stop()
    left = config_path.with_name(f".{config_path.name}.new")
    left.write_text("half of a")

    bench.start()

    eventually(lambda: not left.exists())


def test_what_the_system_has_no_more_of_may_be_there_later(
    bench: ControlBench, client: httpx.Client
) -> None:
    bench.answer = lambda _: ("the system gives no more", 0, 0, True)

    answer = client.post("/api/v1/streams", json=NEW)

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["detail"] == "the system gives no more"
    assert "retry_after_s" not in answer.json()


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost:1/api/v1/streams?a=b", "evil.example", 200),
        ("HTTP://127.0.0.1/api/v1/%73treams", "127.0.0.1", 200),
        ("http://localhost", "localhost", 200),
        ("http://evil.example/api/v1/streams", "localhost", 403),
        ("http:///api/v1/streams", "localhost", 403),
        ("http://localhost/nothing", "localhost", 404),
    ],
)
def test_a_target_that_names_the_host_is_answered_for_that_host(
    bench: ControlBench, target: str, host: str, status: int
) -> None:
    question = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", bench.port), 5) as end:
        end.sendall(question.encode())
        with end.makefile("rb") as answer:
            assert int(answer.readline().split()[1]) == status


def test_what_the_environment_sets_cannot_be_changed(
    bench: ControlBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.stop()
    monkeypatch.setenv("OOBLEXD_STREAMS__DOOR__MAX_FPS", "5")
    bench.start()

    with bench.client() as client:
        answer = client.patch("/api/v1/streams/door", json={"max_fps": 10})

    assert answer.status_code == 409
    assert "OOBLEXD_STREAMS__DOOR__MAX_FPS" in answer.json()["detail"]


def test_a_stopped_stream_says_so(bench: ControlBench, client: httpx.Client) -> None:
    client.patch("/api/v1/streams/door", json={"enabled": False})

    assert client.get("/api/v1/streams/door").json()["state"] == "stopped"
    assert client.get("/streams/door/stream.mjpg").status_code == 503
    assert not bench.streams["door"].plan.enabled


def test_effects_and_engines_come_with_their_schema(client: httpx.Client) -> None:
    effects = client.get("/api/v1/effects").json()["items"]
    engines = client.get("/api/v1/engines").json()["items"]

    blur = next(item for item in effects if item["effect"] == "blur_faces")
    assert blur["is_privacy"] is True
    assert "threshold" in blur["schema"]["properties"]
    assert engines[0]["engine"] == "onnx-cpu"
    assert engines[0]["is_available"] is True


def test_control_ends_when_the_supervisor_is_gone(bench: ControlBench) -> None:
    bench.end.shutdown(2)

    def is_gone() -> bool:
        with open(f"/proc/{bench.pid}/stat") as stat:  # noqa: PTH123 # one line
            return stat.read().split()[2] == "Z"

    eventually(is_gone)
