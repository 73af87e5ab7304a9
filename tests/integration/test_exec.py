"""Commands as cameras of a running daemon: from the file alone, and never left over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import Appliance
from tests.support.cameras import require_ffmpeg
from tests.support.family import MEMBERS, family, is_running, pids_in
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from pathlib import Path

FFMPEG = "ffmpeg -v error -re -f lavfi -i testsrc=size=322x242:rate=25"

pytestmark = pytest.mark.timeout(90)


def stream(name: str, command: str, more: str = "") -> str:
    return f"[streams.{name}]\nsource = '''exec:{command}'''\n{more}\n"


def test_commands_are_shown_live_and_come_back_when_they_end(tmp_path: Path) -> None:
    require_ffmpeg()
    raw = 'input = { format = "i420", width = 322, height = 242 }'
    toml = (
        stream("y4m", f"{FFMPEG} -f yuv4mpegpipe -pix_fmt yuv420p -")
        + stream("mjpeg", f"{FFMPEG} -f mjpeg -")
        + stream("raw", f"{FFMPEG} -f rawvideo -pix_fmt yuv420p -", raw)
        + stream("short", f"{FFMPEG} -frames:v 20 -f mjpeg -")
    )
    with Appliance(tmp_path, toml) as daemon:
        for name in ("y4m", "mjpeg", "raw", "short"):
            with MjpegViewer(daemon.port, name) as viewer:
                eventually(lambda v=viewer: v.pictures().count("live") > 5)  # type: ignore[misc] # mypy infers no default of a lambda
            size = daemon.stream(name)["width"], daemon.stream(name)["height"]
            assert size == (322, 242)

        eventually(lambda: "the command ended" in daemon.log())
        eventually(lambda: daemon.stream("short")["state"] == "running")
        assert daemon.stop() == 0


def test_owner_is_told_what_a_command_said_and_no_secret(tmp_path: Path) -> None:
    toml = (
        stream("missing", "no-such-command")
        + stream("silent", "sh -c 'echo warming up >&2; exec sleep 600'")
        + stream("loud", "sh -c 'echo error at rtsp://u:hunter2@h/ >&2; exit 4'")
    )
    reasons = {
        "missing": "there is no command no-such-command",
        "silent": "the command writes nothing for 3 s: warming up",
        "loud": "the command ended (exit code 4): error at rtsp://***@h/",
    }
    with Appliance(tmp_path, toml) as daemon:
        for name, reason in reasons.items():
            eventually(lambda n=name, r=reason: daemon.stream(n)["reason"] == r)  # type: ignore[misc] # likewise
        for path in ("/api/v1/streams", "/health", "/metrics"):
            assert "hunter2" not in daemon.request("GET", path).text
        assert "hunter2" not in daemon.log()


@pytest.mark.parametrize("ending", ["worker killed", "daemon killed", "daemon stopped"])
def test_nothing_that_a_command_has_started_outlives_its_worker(
    tmp_path: Path, ending: str
) -> None:
    raw = 'input = { format = "i420", width = 8, height = 8 }'
    with Appliance(tmp_path, stream("cam", family(tmp_path), raw)) as daemon:
        eventually(lambda: len(pids_in(tmp_path)) == MEMBERS)
        before = pids_in(tmp_path)
        if ending == "worker killed":
            daemon.kill("ingest:cam")
        elif ending == "daemon killed":
            daemon.process.kill()
        else:
            assert daemon.stop() == 0

        eventually(lambda: not any(is_running(pid) for pid in before))
        if ending == "worker killed":
            eventually(lambda: sorted(pids_in(tmp_path)) != sorted(before))


def test_command_is_named_by_the_file_alone_and_changed_by_api_in_all_else(
    tmp_path: Path,
) -> None:
    require_ffmpeg()
    with Appliance(tmp_path, stream("cam", f"{FFMPEG} -f mjpeg -")) as daemon:
        source = {"source": "exec:touch /etc/x"}
        added = daemon.request("POST", "/api/v1/streams", {"name": "x", **source})
        changed = daemon.request("PATCH", "/api/v1/streams/cam", source)
        turned = daemon.request("PATCH", "/api/v1/streams/cam", {"rotate": 90})

        assert (added.status_code, changed.status_code) == (403, 403)
        assert turned.status_code == 200
        eventually(lambda: daemon.stream("cam")["width"] == 242)
