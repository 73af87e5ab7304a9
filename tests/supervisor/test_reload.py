from __future__ import annotations

from dataclasses import replace

from ooblexd.commands import ApplyPlan
from ooblexd.plan import DaemonPlan, StreamPlan, format_plan
from ooblexd.supervisor.reload import RELOAD, wishes_of

DOOR, YARD = StreamPlan("door", "demo:"), StreamPlan("yard", "demo:")
RUNNING = DaemonPlan("127.0.0.1", 8800, "ooblexd.toml", streams=(DOOR,))


def test_nothing_is_asked_for_where_nothing_differs() -> None:
    assert wishes_of(RUNNING, (DOOR,), RUNNING) == ([], [])


def test_one_wish_a_stream_and_removals_first() -> None:
    changed = replace(DOOR, source="file:/a.mp4", max_fps=5.0)
    attic = StreamPlan("attic", "demo:")
    wanted = replace(RUNNING, streams=(changed, attic))

    wishes, later = wishes_of(RUNNING, (DOOR, YARD), wanted)

    assert wishes == [
        ApplyPlan(RELOAD, "yard", ""),
        ApplyPlan(RELOAD, "door", format_plan(changed)),
        ApplyPlan(RELOAD, "attic", format_plan(attic)),
    ]
    assert later == []


def test_what_takes_a_restart_is_named() -> None:
    assert wishes_of(RUNNING, (DOOR,), replace(RUNNING, port=1)) == ([], ["http.port"])
