from __future__ import annotations

from dataclasses import replace

from ooblexd.commands import Runs
from ooblexd.plan import DaemonPlan, parse_daemon_plan
from ooblexd.supervisor.reload import Configuration

RUNNING = DaemonPlan("127.0.0.1", 8800, "ooblexd.toml", config_digest="1")


def test_a_file_that_cannot_be_used_is_told_until_a_good_one_runs() -> None:
    configuration = Configuration(RUNNING)

    configuration.refuse(["ooblexd.toml:3: streams.door.fsp: unknown key"])
    refused = configuration.status()
    configuration.adopt(replace(RUNNING, config_digest="2"))
    mended = configuration.status()

    assert (refused.runs, refused.digest) == (Runs.FORMER, "1")
    assert refused.problems == ["ooblexd.toml:3: streams.door.fsp: unknown key"]
    assert (mended.runs, mended.problems, mended.digest) == (Runs.FILE, [], "2")


def test_a_second_bad_file_is_no_former_configuration() -> None:
    configuration = Configuration(RUNNING, Runs.LAST_GOOD, ["bad"])

    configuration.refuse(["worse"])

    assert configuration.runs is Runs.LAST_GOOD
    assert configuration.problems == ["worse"]


def test_what_takes_a_restart_is_named_and_the_rest_is_live() -> None:
    configuration = Configuration(RUNNING)

    configuration.adopt(replace(RUNNING, port=1, allowed_hosts=("box.lan",)))

    status = configuration.status()
    assert status.restart_needed == ["http.port"]
    assert parse_daemon_plan(status.daemon).port == 8800
    assert parse_daemon_plan(status.daemon).allowed_hosts == ("box.lan",)


def test_leaving_safe_mode_takes_a_restart_for_the_address_alone() -> None:
    configuration = Configuration(RUNNING, Runs.NOTHING, ["bad"])

    configuration.adopt(replace(RUNNING, port=1, inference_workers=3))

    assert configuration.plan.inference_workers == 3
    assert configuration.restart_needed == ["http.port"]


def test_ten_thousand_problems_fit_into_a_message() -> None:
    configuration = Configuration(RUNNING, Runs.NOTHING, ["x" * 1000] * 10_000)

    problems = configuration.status().problems

    assert len(problems) == 51
    assert problems[-1] == "and 9950 more"
    assert sum(map(len, problems)) < 100_000
