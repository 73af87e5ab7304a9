"""A change of configuration touches only what it names."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from ooblexd.config.diff import Change, Kind, diff, plans_between, waiting_keys
from ooblexd.plan import DaemonPlan, EffectPlan, StreamPlan, format_plan

DOOR = StreamPlan("door", "rtsp://192.0.2.20/1")
DESK = StreamPlan("desk", "demo:")
PLAN = DaemonPlan("127.0.0.1", 8800, "/etc/ooblexd/ooblexd.toml", streams=(DOOR, DESK))


def test_equal_plans_differ_in_nothing() -> None:
    assert diff(PLAN, replace(PLAN)) == []


def test_order_of_streams_is_no_change() -> None:
    assert diff(PLAN, replace(PLAN, streams=(DESK, DOOR))) == []


def test_streams_that_go_are_named_before_those_that_come() -> None:
    hall = replace(DOOR, name="hall")

    changes = diff(PLAN, replace(PLAN, streams=(hall, DOOR)))

    assert changes == [Change(Kind.REMOVED, "desk"), Change(Kind.ADDED, "hall")]


def test_each_part_of_a_stream_is_a_change_of_its_own() -> None:
    blurred = (EffectPlan("blur_faces", is_privacy=True),)
    door = replace(
        DOOR, source="demo:", transport="tcp", effects=blurred, enabled=False
    )

    changes = diff(PLAN, replace(PLAN, streams=(door, DESK)))

    assert changes == [
        Change(Kind.SOURCE, "door", ("source", "transport")),
        Change(Kind.EFFECTS, "door", ("effects",)),
        Change(Kind.OTHER, "door", ("enabled",)),
    ]


def test_what_needs_a_restart_says_so() -> None:
    [live, restart] = diff(PLAN, replace(PLAN, log_level="debug", port=1, engine="x"))

    assert (str(live), live.needs_restart) == ("daemon: log.level", False)
    expected = "http.port, inference.engine: takes effect after a restart"
    assert (str(restart), restart.needs_restart) == (expected, True)


def test_change_never_shows_a_source() -> None:
    [change] = diff(
        PLAN, replace(PLAN, streams=(replace(DOOR, source="x:hunter2"), DESK))
    )

    assert str(change) == "streams.door: source"


def test_supervisor_can_use_it_without_loading_pydantic() -> None:
    code = (
        "import sys, ooblexd.config.diff;"
        "heavy = {'pydantic', 'tomlkit', 'asyncio', 'numpy'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_one_plan_a_stream_that_differs_and_removals_first() -> None:
    changed = replace(DOOR, source="file:/a.mp4", max_fps=5.0)
    attic = replace(DOOR, name="attic")

    plans = plans_between(PLAN, replace(PLAN, streams=(changed, attic)))

    assert list(plans.items()) == [
        ("desk", ""),
        ("door", format_plan(changed)),
        ("attic", format_plan(attic)),
    ]


def test_what_waits_for_a_restart_is_named() -> None:
    wanted = replace(PLAN, port=1, log_level="debug", config_digest="other")

    assert waiting_keys(PLAN, wanted) == ["http.port"]
