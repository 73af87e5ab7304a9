"""The whole configuration by API: read, changed in part, and never half."""

from __future__ import annotations

import http.client
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from ooblexd.commands import ConfigStatus, Runs, send
from ooblexd.config.load import load_config
from ooblexd.errors import SharedMemoryFullError
from ooblexd.plan import DaemonPlan, format_plan
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.support.control import ControlBench

CONFIG = "/api/v1/config"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(bench: ControlBench) -> Iterator[httpx.Client]:
    with bench.client() as client:
        yield client


def test_the_whole_configuration_is_shown_without_its_secrets(
    client: httpx.Client, config_path: Path
) -> None:
    answer = client.get(CONFIG)

    body = answer.json()
    assert "secret" not in answer.text
    assert body["streams"]["door"]["source"] == "rtsp://***@192.0.2.20/stream1"
    assert body["streams"]["door"]["effects"][0]["on_failure"] == "cover"
    assert body["http"]["port"] == 8800  # a default: the file does not say it
    assert body["file"] == str(config_path)
    assert body["environment"] == {}
    assert body["reload_needed"] == []
    assert answer.headers["etag"]


def test_a_patch_of_everything_at_once_runs_and_is_in_the_file(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    patch = {
        "http": {"port": 8801},
        "streams": {
            "door": {"max_fps": 5, "source": "rtsp://***@192.0.2.20/stream2"},
            "yard": {"source": "demo:", "effects": ["blur_faces"]},
        },
    }

    answer = client.patch(CONFIG, json=patch)

    assert answer.status_code == 200, answer.text
    assert "http.port" in answer.json()["restart_needed"]
    assert answer.json()["streams"]["yard"]["source"] == "demo:"
    door = "rtsp://user:secret@192.0.2.20/stream2"
    assert bench.streams["door"].plan.source == door
    assert bench.streams["yard"].plan.effects[0].is_privacy
    written = load_config(config_path, {})
    assert (written.http.port, written.streams["door"].source) == (8801, door)
    assert written.streams["door"].max_fps == 5
    assert "# by the letter box" in config_path.read_text()
    assert len(bench.wishes) == 1


def test_what_was_read_may_be_sent_back_as_it_is(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    before = config_path.read_bytes()

    answer = client.patch(CONFIG, json=client.get(CONFIG).json())

    assert answer.status_code == 200
    assert config_path.read_bytes() == before
    assert not bench.wishes
    assert [path.name for path in config_path.parent.iterdir()] == [config_path.name]


def test_null_removes_a_stream_and_resets_a_key(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    client.patch(CONFIG, json={"streams": {"yard": {"source": "demo:", "max_fps": 5}}})

    patch: dict[str, Any] = {"streams": {"door": None, "yard": {"max_fps": None}}}
    answer = client.patch(CONFIG, json=patch)

    assert answer.status_code == 200, answer.text
    assert list(bench.streams) == ["yard"]
    assert bench.streams["yard"].plan.max_fps == 0
    assert list(load_config(config_path, {}).streams) == ["yard"]


REFUSED: dict[str, tuple[int, dict[str, object]]] = {
    "htp": (422, {"htp": {}}),
    "http.port": (422, {"http": {"port": "eight"}}),
    "http.host": (422, {"http": {"host": "192.0.2.1"}}),
    "streams": (422, {"streams": []}),
    "streams.No!": (422, {"streams": {"No!": {"source": "demo:"}}}),
    "streams.yard.source": (403, {"streams": {"yard": {"source": "exec:reboot"}}}),
    "streams.door.source": (403, {"streams": {"door": {"source": " file:/etc/x"}}}),
    "streams.attic.source": (422, {"streams": {"attic": {}}}),
    "streams.door.effects[0]": (422, {"streams": {"door": {"effects": ["blur_face"]}}}),
    "streams.door.fsp": (422, {"streams": {"door": {"fsp": 1}}}),
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_wrong_patch_is_refused_with_its_key_and_changes_nothing(
    bench: ControlBench, client: httpx.Client, config_path: Path, key: str
) -> None:
    status, patch = REFUSED[key]
    before = config_path.read_bytes()
    good = {"log": {"level": "debug"}}

    answer = client.patch(CONFIG, json=good | patch)

    assert answer.status_code == status, answer.text
    assert [error["key"] for error in answer.json()["errors"]] == [key]
    assert not bench.wishes
    assert config_path.read_bytes() == before
    assert [path.name for path in config_path.parent.iterdir()] == [config_path.name]


@pytest.mark.parametrize("name", ["door", "yard"])
def test_a_secret_does_not_follow_a_callers_address(
    bench: ControlBench, client: httpx.Client, name: str
) -> None:
    patch = {"streams": {name: {"source": "rtsp://***@192.0.2.66/stream1"}}}

    answer = client.patch(CONFIG, json=patch)

    assert answer.status_code == 422
    assert [error["key"] for error in answer.json()["errors"]] == [
        f"streams.{name}.source"
    ]
    assert not bench.wishes


def test_every_mistake_is_told_at_once(client: httpx.Client) -> None:
    patch = {"http": {"port": "eight"}, "streams": {"door": {"fsp": 1}}}

    errors = client.patch(CONFIG, json=patch).json()["errors"]

    assert {error["key"] for error in errors} == {"http.port", "streams.door.fsp"}


def test_a_patch_of_what_was_changed_meanwhile_is_refused(
    client: httpx.Client, config_path: Path
) -> None:
    tag = {"If-Match": client.get(CONFIG).headers["etag"]}
    config_path.write_text(config_path.read_text() + "max_fps = 7\n")

    answer = client.patch(CONFIG, json={"log": {"level": "debug"}}, headers=tag)

    assert answer.status_code == 412
    assert "level" not in config_path.read_text()


def test_of_two_clients_that_patch_at_once_one_is_told_to_read_again(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    tag = client.get(CONFIG).headers["etag"]
    ends = [
        http.client.HTTPConnection("127.0.0.1", bench.port, timeout=10)
        for _ in range(2)
    ]
    for number, end in enumerate(ends):
        body = json.dumps({"streams": {f"cam{number}": {"source": "demo:"}}})
        end.request("PATCH", CONFIG, body, {**JSON, "If-Match": tag})

    statuses = sorted(end.getresponse().status for end in ends)
    for end in ends:
        end.close()

    assert statuses == [200, 412]
    assert len(load_config(config_path, {}).streams) == 2


def test_too_little_shared_memory_is_said_with_the_numbers(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    full = SharedMemoryFullError(80 << 20, 5 << 20)
    bench.answer = lambda _: (str(full), full.needed_bytes, full.free_bytes)
    before = config_path.read_bytes()

    answer = client.patch(CONFIG, json={"streams": {"yard": {"source": "demo:"}}})

    assert answer.status_code == 507
    assert answer.json()["needed_bytes"] == 80 << 20
    assert config_path.read_bytes() == before
    assert [path.name for path in config_path.parent.iterdir()] == [config_path.name]


def test_what_the_environment_sets_is_named_and_cannot_be_changed(
    bench: ControlBench, monkeypatch: pytest.MonkeyPatch, config_path: Path
) -> None:
    bench.stop()
    monkeypatch.setenv("OOBLEXD_HTTP__PORT", "8899")
    monkeypatch.setenv("OOBLEXD_STREAMS__DOOR__EFFECTS", '["pixelate_faces"]')
    bench.start()

    with bench.client() as client:
        body = client.get(CONFIG).json()
        refused = client.patch(CONFIG, json={"http": {"port": 1}})
        removal = client.patch(CONFIG, json={"streams": {"door": None}})
        other = client.patch(CONFIG, json={**body, "log": {"level": "debug"}})

    assert body["http"]["port"] == 8899
    assert body["environment"] == {
        "http.port": "OOBLEXD_HTTP__PORT",
        "streams.door.effects": "OOBLEXD_STREAMS__DOOR__EFFECTS",
    }
    assert (refused.status_code, removal.status_code) == (409, 409)
    assert "OOBLEXD_HTTP__PORT" in refused.json()["detail"]
    assert "OOBLEXD_STREAMS__DOOR__EFFECTS" in removal.json()["detail"]
    assert other.status_code == 200, other.text
    assert "8899" not in config_path.read_text()
    assert "pixelate" not in config_path.read_text()


def test_an_edit_by_hand_is_shown_and_loaded_by_the_next_patch(
    bench: ControlBench, client: httpx.Client, config_path: Path
) -> None:
    config_path.write_text(config_path.read_text() + "max_fps = 7\n")

    waiting = client.get(CONFIG).json()["reload_needed"]
    client.patch(CONFIG, json={"streams": {"yard": {"source": "demo:"}}})

    assert waiting == ["door"]
    assert client.get(CONFIG).json()["reload_needed"] == []
    assert bench.streams["door"].plan.max_fps == 7


def test_a_change_of_a_stream_keeps_what_was_edited_in_it_by_hand(
    client: httpx.Client, config_path: Path
) -> None:
    edited = config_path.read_text().replace("stream1", "stream2")
    config_path.write_text(edited)

    answer = client.patch("/api/v1/streams/door", json={"max_fps": 5})

    assert answer.status_code == 200
    assert config_path.read_text() == edited + "max_fps = 5\n"


def test_a_file_that_was_broken_by_hand_is_told_and_not_overwritten(
    client: httpx.Client, config_path: Path
) -> None:
    config_path.write_text(config_path.read_text() + "fsp = 7\n")

    shown = client.get(CONFIG)
    patched = client.patch(CONFIG, json={"log": {"level": "debug"}})

    assert (shown.status_code, patched.status_code) == (503, 503)
    assert "streams.door.fsp: unknown key" in shown.json()["detail"]
    assert "fsp = 7" in config_path.read_text()


def test_a_change_that_control_does_not_outlive_is_in_the_file_if_it_runs(
    bench: ControlBench, config_path: Path
) -> None:
    def kill(_: object) -> tuple[str, int, int]:
        os.kill(bench.pid, signal.SIGKILL)
        return "", 0, 0

    bench.answer = kill
    with bench.client() as client, pytest.raises(Exception, match="disconnected"):
        client.patch(CONFIG, json={"streams": {"yard": {"source": "demo:"}}})
    eventually(lambda: "yard" in bench.streams)

    assert "yard" in load_config(config_path, {}).streams
    assert [path.name for path in config_path.parent.iterdir()] == [config_path.name]


def tell(bench: ControlBench, runs: Runs, *problems: str, **plan: Any) -> None:
    """Say to control what the supervisor would."""
    daemon = DaemonPlan("127.0.0.1", bench.port, str(bench.config_path), **plan)
    status = ConfigStatus(runs.value, [*problems], format_plan(daemon), [], "")
    send(bench.end, status)


@pytest.mark.parametrize(
    ("runs", "status"),
    [(Runs.FORMER, 200), (Runs.LAST_GOOD, 200), (Runs.NOTHING, 503)],
)
def test_health_says_what_runs_instead_of_a_bad_file(
    bench: ControlBench, client: httpx.Client, runs: Runs, status: int
) -> None:
    tell(bench, runs, "ooblexd.toml:3: http.prot: unknown key")

    def is_told() -> bool:
        check = client.get("/health").json()["checks"]["config"]
        return "ooblexd.toml:3: http.prot: unknown key" in check["reason"].split("\n")

    eventually(is_told)
    assert client.get("/health").status_code == status


def test_new_allowed_hosts_are_let_in_at_once(
    bench: ControlBench, client: httpx.Client
) -> None:
    def status() -> int:
        return client.get("/healthz", headers={"Host": "box.lan"}).status_code

    assert status() == 403
    tell(bench, Runs.FILE, allowed_hosts=("box.lan",))
    eventually(lambda: status() == 200)
    tell(bench, Runs.FILE)
    eventually(lambda: status() == 403)
