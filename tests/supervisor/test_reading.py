from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ooblexd.errors import CannotStartError, ConfigError
from ooblexd.plan import DaemonPlan, format_plan
from ooblexd.supervisor.reading import Reading, read_unless_stopped
from ooblexd.supervisor.signals import HANDLED, SignalPipe
from tests.support.processes import eventually, has_ended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

PLAN = DaemonPlan("127.0.0.1", 8800, "/etc/ooblexd/ooblexd.toml")
PARENT = """
import signal
from ooblexd.supervisor.reading import Reading

print(Reading(signal.pause)._pid, flush=True)
signal.pause()
"""


@pytest.fixture
def signals() -> Iterator[SignalPipe]:
    former = [(number, signal.getsignal(number)) for number in HANDLED]
    pipe = SignalPipe()
    yield pipe
    pipe.close()
    for number, handler in former:
        signal.signal(number, handler)


def fine() -> str:
    return format_plan(PLAN)


def never() -> NoReturn:
    while True:
        signal.pause()


def test_a_plan_crosses_from_the_child() -> None:
    assert Reading(fine).plan() == PLAN


def test_problems_cross_from_the_child() -> None:
    def parse() -> str:
        raise ConfigError(["http.port: 99999", "log.level: 'loud'"])

    with pytest.raises(ConfigError) as caught:
        Reading(parse).plan()

    assert caught.value.problems == ("http.port: 99999", "log.level: 'loud'")


def test_a_parser_that_dies_is_told_and_not_taken_for_a_plan() -> None:
    def parse() -> str:
        os._exit(9)

    with pytest.raises(CannotStartError, match="could not be read"):
        Reading(parse).plan()


def test_its_end_is_told_by_a_descriptor() -> None:
    hanging, done = Reading(never), Reading(fine)

    readable = select.select([hanging.fd, done.fd], [], [], 10)[0]

    assert readable == [done.fd]
    assert done.plan() == PLAN
    hanging.abandon()


def test_it_leaves_no_descriptor_and_no_process() -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 # names are what is compared
    reading = Reading(never)
    pid = reading._pid

    reading.abandon()
    Reading(fine).plan()

    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208 # likewise
    assert not Path(f"/proc/{pid}").exists()


def test_the_child_dies_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = Path("/proc", parent.stdout.readline().strip())
        assert child.exists()

        parent.kill()

    eventually(lambda: has_ended(child))


def test_a_plan_is_read_where_no_signal_comes(signals: SignalPipe) -> None:
    assert read_unless_stopped(lambda: Reading(fine), signals) == PLAN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_does_not_wait_for_a_slow_file(
    signals: SignalPipe, number: signal.Signals
) -> None:
    os.kill(os.getpid(), number)

    assert read_unless_stopped(lambda: Reading(never), signals) is None


def test_a_file_that_has_changed_meanwhile_is_read_again(signals: SignalPipe) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    begun = iter([Reading(never), Reading(fine)])

    assert read_unless_stopped(lambda: next(begun), signals) == PLAN
