from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from ooblexd.supervisor.notify import Notifier
from tests.support.systemd_socket import NotifySocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

US = {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "4711"}


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    at = tmp_path / "notify"
    address = f"@ooblexd/{os.getpid()}" if request.param == "abstract" else str(at)
    with NotifySocket(address) as listening:
        yield listening


def test_each_state_is_a_message(systemd: NotifySocket) -> None:
    notifier = Notifier(systemd.address)

    assert notifier.ready()
    notifier.alive()
    notifier.stopping()
    notifier.reloading()

    assert systemd.heard()[:3] == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_reload_carries_the_time_that_newer_versions_ask_for(
    systemd: NotifySocket,
) -> None:
    Notifier(systemd.address).reloading()

    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", systemd.next())


def test_a_status_stays_one_line_whatever_a_camera_says(systemd: NotifySocket) -> None:
    Notifier(systemd.address).status("door: 401\nMAINPID=1\r\nREADY=1 " + "x" * 4000)

    assert systemd.next().startswith("STATUS=door: 401 MAINPID=1 READY=1 xxx")
    assert systemd.heard() == []


def test_nobody_inherits_the_socket_and_the_watchdog() -> None:
    environ = {"NOTIFY_SOCKET": "/run/systemd/notify", **US, "HOME": "/"}

    Notifier.take(environ, 4711)

    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        (US, 20),
        ({"WATCHDOG_USEC": "500000"}, 0.5),
        ({**US, "WATCHDOG_PID": "1"}, 0),
        ({**US, "WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_a_watchdog_is_fed_that_watches_this_process(
    environ: dict[str, str], watchdog_s: float
) -> None:
    assert Notifier.take(dict(environ), 4711).watchdog_ns == watchdog_s * 1e9


def test_without_systemd_everything_is_said_to_nobody() -> None:
    assert Notifier.take({}, 4711).ready()


def test_what_was_not_heard_is_known_and_holds_nobody_up(tmp_path: Path) -> None:
    with NotifySocket(tmp_path / "notify") as deaf:
        notifier = Notifier(deaf.address)
        while notifier.ready():
            pass

        assert not notifier.ready()
    assert not notifier.ready(), "nobody listens any more"
