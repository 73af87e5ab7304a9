"""What systemd hears of a daemon, from its start to its end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import DEMO_TOML, Appliance
from tests.support.processes import eventually
from tests.support.systemd_socket import NotifySocket

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)
WITH_A_DEAD_CAMERA = f"""
{DEMO_TOML}
[streams.yard]
source = "rtsp://127.0.0.1:1/"
"""


def test_systemd_hears_a_life_from_ready_to_stopping(tmp_path: Path) -> None:
    with NotifySocket(tmp_path / "notify") as systemd:
        environment = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "400000"}
        with Appliance(tmp_path, WITH_A_DEAD_CAMERA, environment) as daemon:
            heard: list[str] = []

            def hears(text: str) -> bool:
                heard.extend(systemd.heard())
                return any(text in message for message in heard)

            eventually(lambda: hears("READY=1"))
            assert daemon.request("GET", "/healthz").status_code == 200
            eventually(lambda: hears("STATUS=2 streams: 1 live, 1 down (yard: "))
            heard.clear()
            eventually(lambda: hears("WATCHDOG=1"))
            daemon.config.write_text("fsp = 3")
            daemon.process.send_signal(signal.SIGHUP)
            eventually(lambda: hears("STATUS=not reloaded: "))
            assert daemon.stop() == 0
            eventually(lambda: hears("STOPPING=1"))
        order = [message.split("\n")[0] for message in heard]
        assert order.index("RELOADING=1") < order.index("READY=1")
