"""An effect of another package goes wrong: it is cut off and named, and others live on.

Both streams are in one inference worker, so what hangs or crashes takes the other along
each time, until the effect rests.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import Appliance
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TOML = """
[inference]
workers = 1

[streams.door]
source = "demo:"
effects = ["none"]

[streams.yard]
source = "demo:"
effects = ["blur_faces"]
"""

WAYS = ["sleep", "spin", "segfault", "quit"]
BESIDE = [f"beside-{how}" for how in WAYS]
# As many workers as ways; each has one stream of both kinds, as they come in turn.
PAIRS = f"[inference]\nworkers = {len(WAYS)}\n" + "".join(
    f'[streams.{name}]\nsource = "demo:"\nmax_fps = 10\neffects = ["none"]\n'
    for name in [*WAYS, *BESIDE]
)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def appliance(tmp_path: Path, with_trouble: Mapping[str, str]) -> Iterator[Appliance]:
    with Appliance(tmp_path, TOML, with_trouble) as daemon:
        yield daemon
        assert daemon.stop() == 0


@pytest.fixture
def door(appliance: Appliance) -> Iterator[MjpegViewer]:
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: viewer.last() == "live")
        yield viewer


def put(appliance: Appliance, stream: str = "door", **effect: object) -> None:
    chain = [{"effect": "trouble", **effect}]
    answer = appliance.request("PUT", f"/api/v1/streams/{stream}/effects", chain)
    assert answer.status_code == 202, answer.text


def reason_of(appliance: Appliance, stream: str = "door") -> str:
    checks = appliance.request("GET", "/health").json()["checks"]
    return str(checks[f"source:{stream}"]["reason"])


def wait_for_reason(appliance: Appliance, stream: str, beginning: str | None) -> None:
    def is_said() -> bool:
        reason = reason_of(appliance, stream)
        return reason == "" if beginning is None else reason.startswith(beginning)

    eventually(is_said, 40)


def wait_until_live(viewer: MjpegViewer, since: int, count: int) -> None:
    """Wait until that many live pictures came after the first ``since``."""
    eventually(lambda: viewer.pictures()[since:].count("live") >= count)


def wait_until_shown(viewer: MjpegViewer, picture: str) -> None:
    eventually(lambda: viewer.last() == picture)


def test_an_effect_that_raises_is_named_and_on_failure_decides(
    appliance: Appliance, door: MjpegViewer
) -> None:
    # Side by side, since a chain that gives no picture has ten seconds to begin.
    hall = {"name": "hall", "source": "demo:", "effects": ["none"]}
    assert appliance.request("POST", "/api/v1/streams", hall).status_code == 201
    with MjpegViewer(appliance.port, "hall") as viewer:
        eventually(lambda: viewer.last() == "live")
        viewers = {"door": door, "hall": viewer}
        ways = {"door": "raise", "hall": "exit"}

        for stream, how in ways.items():
            put(appliance, stream, how=how)
        for stream in ways:
            wait_for_reason(appliance, stream, "shown without an effect that fails")
            assert "trouble: " in reason_of(appliance, stream)
            assert appliance.stream(stream)["picture"] == "live"

        for stream, how in ways.items():
            put(appliance, stream, how=how, on_failure="cover")
        for stream, shown in viewers.items():
            wait_for_reason(appliance, stream, "covered: trouble: ")
            wait_until_shown(shown, "covered")

        for stream, shown in viewers.items():
            put(appliance, stream, how="not")
            wait_for_reason(appliance, stream, None)
            wait_until_shown(shown, "live")


def test_an_effect_that_is_slow_is_named_with_its_deadline(
    appliance: Appliance, door: MjpegViewer
) -> None:
    put(appliance, how="slow")

    eventually(lambda: "at most 200 ms" in reason_of(appliance))

    assert "trouble: took " in reason_of(appliance)
    assert not door.has_ended.is_set()


def test_effects_that_end_their_workers_rest_and_the_other_streams_live_on(
    tmp_path: Path, with_trouble: Mapping[str, str]
) -> None:
    with Appliance(tmp_path, PAIRS, with_trouble) as daemon, ExitStack() as stack:
        viewers = {
            name: stack.enter_context(MjpegViewer(daemon.port, name, keeps_jpeg=False))
            for name in [*WAYS, *BESIDE]
        }
        for viewer in viewers.values():
            eventually(lambda v=viewer: v.last() == "live")  # type: ignore[misc] # bound now

        for how in WAYS:
            put(daemon, how, how=how, on_failure="cover")
        for how in WAYS:
            wait_for_reason(daemon, how, "covered: trouble: made its worker")
            assert "hang or crash 3 times" in reason_of(daemon, how)
        for name in BESIDE:
            wait_for_reason(daemon, name, None)
        former = [daemon.pid_of(f"inference:{n}") for n in range(len(WAYS))]
        for name in BESIDE:
            viewer = viewers[name]
            since = len(viewer.parts)
            wait_until_live(viewer, since, 20)

        assert [daemon.pid_of(f"inference:{n}") for n in range(len(WAYS))] == former
        assert [viewers[how].last() for how in WAYS] == ["covered"] * len(WAYS)
        for how in WAYS:
            put(daemon, how, how="not")
        for how in WAYS:
            wait_for_reason(daemon, how, None)


def test_what_protects_privacy_and_rests_covers_whatever_was_configured(
    appliance: Appliance, door: MjpegViewer
) -> None:
    chain = [{"effect": "trouble_private", "how": "segfault", "on_failure": "pass"}]
    answer = appliance.request("PUT", "/api/v1/streams/door/effects", chain)
    assert answer.status_code == 202
    with MjpegViewer(
        appliance.port, "door"
    ) as late:  # whom nothing former is under way
        eventually(lambda: "hang or crash 3 times" in reason_of(appliance), 60)
        wait_until_shown(late, "covered")

    assert "live" not in late.pictures()
    wait_until_shown(door, "covered")


def test_an_effect_that_cannot_be_built_is_named_and_the_former_chain_runs_on(
    appliance: Appliance, door: MjpegViewer
) -> None:
    path = "/api/v1/streams/door/effects"
    assert appliance.request("PUT", path, ["no_build"]).status_code == 202
    eventually(lambda: "effects cannot start: no_build: " in reason_of(appliance))

    assert "No module named 'ooblexd_trouble.nowhere'" in reason_of(appliance)
    since = len(door.parts)
    eventually(lambda: door.pictures()[since:].count("live") > 5)
