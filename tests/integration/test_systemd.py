"""The service, installed from the wheel on a machine that systemd has booted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ooblexd.cli.service_files import obstacle
from tests.support.machine import Machine, skip_without_machines
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.distribution import Distributions

pytestmark = pytest.mark.timeout(120)

PROGRAM = "/opt/ooblexd/bin/ooblexd"
CONFIG = "/etc/ooblexd/ooblexd.toml"
DEMO_AND_A_DEAD_CAMERA = """\
[streams.demo]
source = "demo:"
effects = ["blur_faces"]
max_fps = 5

[streams.yard]
source = "rtsp://admin:s3cret@127.0.0.1:1/"
"""
YARD = "1 down (yard: "
# The unit's own times are for an appliance; nobody waits for them here.
IMPATIENT = """\
[Service]
WatchdogSec=5
RestartSec=100ms
"""
ASK = """
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8800" + sys.argv[1]).read().decode())
"""
ASK_WHATEVER = """
import sys, urllib.request, urllib.error
try:
    answer = urllib.request.urlopen("http://127.0.0.1:8800" + sys.argv[1])
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode())
"""
TAKE = """
import sys, urllib.request
answer = urllib.request.urlopen("http://127.0.0.1:8800" + sys.argv[1])
assert answer.read()[:2] == bytes([0xFF, 0xD8]), "no JPEG"
"""
ADD = """
import json, urllib.request
stream = {"name": "shed", "source": "demo:"}
request = urllib.request.Request(
    "http://127.0.0.1:8800/api/v1/streams",
    json.dumps(stream).encode(),
    {"Content-Type": "application/json"},
)
print(urllib.request.urlopen(request).status)
"""


class Box(Machine):
    """The machine with ooblexd in ``/opt/ooblexd``."""

    def shown(self, name: str) -> str:
        """Return a property of the service."""
        return self.run("systemctl", "show", "-P", name, "ooblexd")

    def main_pid(self) -> int:
        return int(self.shown("MainPID"))

    def is_active(self) -> bool:
        return self.run("systemctl", "is-active", "ooblexd", code=None) == "active"

    def python(self, *words: str) -> str:
        return self.run("/opt/ooblexd/bin/python", *words)

    def streams(self) -> list[str]:
        answer = json.loads(self.python("-c", ASK, "/api/v1/streams"))
        return [stream["name"] for stream in answer["items"]]

    def worker(self, name: str) -> int:
        """Return the pid of a worker, as the machine numbers it; 0 if none."""
        for comm in self.path("/proc").glob("[0-9]*/comm"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if comm.read_text().strip() == name[:15]:
                    return int(comm.parent.name)
        return 0

    def status_of(self, pid: int) -> dict[str, str]:
        """Return the lines of a process's status in ``/proc``."""
        lines = self.path(f"/proc/{pid}/status").read_text().splitlines()
        return {
            key: value.strip() for key, _, value in (x.partition(":") for x in lines)
        }

    def configure(self, toml: str) -> None:
        self.path(CONFIG).write_text(toml)


def _let_the_interpreter_find_its_library(machine: Box) -> None:
    conf = machine.path("/etc/ld.so.conf.d/00-python.conf")
    conf.write_text("/opt/python/lib\n")
    machine.run("ldconfig")


@pytest.fixture(scope="module")
def box(
    tmp_path_factory: pytest.TempPathFactory, distributions: Distributions
) -> Iterator[Box]:
    skip_without_machines()
    base, site = Path(sys.base_prefix), Path(sysconfig.get_path("purelib"))
    # An interpreter in somebody's home is none that a service could run.
    places = {base: "/opt/python"} if obstacle([base]) else {}
    places |= {site: "/opt/site", distributions.wheel.parent: "/opt/wheel"}
    with Box(tmp_path_factory.mktemp("box"), places) as machine:
        python = f"{places.get(base, base)}/bin/python3"
        _let_the_interpreter_find_its_library(machine)
        machine.run(python, "-m", "venv", "--without-pip", "/opt/ooblexd")
        packages = machine.python("-c", "import site; print(site.getsitepackages()[0])")
        machine.path(f"{packages}/dependencies.pth").write_text("/opt/site\n")
        pip = ("-m", "pip", "install", "--no-deps", "--no-index", "--ignore-installed")
        machine.python(*pip, f"/opt/wheel/{distributions.wheel.name}")
        drop_in = machine.path("/etc/systemd/system/ooblexd.service.d/impatient.conf")
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text(IMPATIENT)
        machine.path(CONFIG).parent.mkdir()
        machine.configure(DEMO_AND_A_DEAD_CAMERA)
        machine.run(PROGRAM, "install-service")
        yield machine


@pytest.fixture
def service(box: Box) -> Box:
    """The service as it should be: two streams, one of them with a dead camera."""
    box.run("systemctl", "start", "ooblexd")
    if box.path(CONFIG).read_text() != DEMO_AND_A_DEAD_CAMERA:
        box.configure(DEMO_AND_A_DEAD_CAMERA)
        box.run("systemctl", "reload", "ooblexd")
    eventually(lambda: YARD in box.shown("StatusText"))
    return box


def returned(service: Box, former: int) -> bool:
    return service.main_pid() not in (0, former) and service.is_active()


def test_it_answers_as_soon_as_systemctl_has_started_it(service: Box) -> None:
    service.run("systemctl", "restart", "ooblexd")

    assert service.streams() == ["demo", "yard"]


def test_effects_and_encoders_work_in_the_sandbox(service: Box) -> None:
    def demo() -> tuple[str, str]:
        stream = json.loads(service.python("-c", ASK, "/api/v1/streams/demo"))
        return stream["state"], stream["reason"]

    eventually(lambda: demo() == ("running", ""))
    service.python("-c", TAKE, "/streams/demo/snapshot.jpg")


def test_systemctl_status_says_which_camera_is_down(service: Box) -> None:
    eventually(lambda: "2 streams: 1 live" in service.shown("StatusText"))

    status = service.run("systemctl", "status", "ooblexd")

    assert 'Status: "2 streams: 1 live, 1 down (yard: ' in status
    assert "s3cret" not in status


def test_it_runs_as_a_user_who_may_do_nothing_but_see_cameras(service: Box) -> None:
    for pid in (service.main_pid(), service.worker("ingest:demo")):
        status = service.status_of(pid)

        user = service.run("id", "-u", "ooblexd")
        groups = [service.run("getent", "group", g) for g in ("video", "render")]
        assert status["Uid"].split() == [user] * 4
        assert {line.split(":")[2] for line in groups} <= {*status["Groups"].split()}
        assert int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        limits = service.path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)


def test_it_sees_devices_and_shared_memory_and_no_home(service: Box) -> None:
    root = service.path(f"/proc/{service.main_pid()}/root")
    camera = service.path("/dev/video9")
    os.mknod(camera, 0o660 | stat.S_IFCHR, os.makedev(81, 9))

    assert (root / "dev/video9").is_char_device()
    assert (root / "dev/shm").is_dir()
    assert list((root / "home").iterdir()) == []


def test_a_change_is_written_to_a_file_that_only_the_service_reads(
    service: Box,
) -> None:
    assert service.python("-c", ADD) == "201"

    file = service.path(CONFIG)
    assert "[streams.shed]" in file.read_text()
    assert service.run("stat", "-c", "%U:%G %a", CONFIG) == "ooblexd:ooblexd 640"


def test_the_control_socket_is_for_the_services_group(service: Box) -> None:
    found = service.run("stat", "-c", "%U:%G %a %F", "/run/ooblexd/control.sock")

    assert found == "ooblexd:ooblexd 660 socket"
    assert "demo" in service.run(PROGRAM, "status")


def test_a_reload_takes_what_the_file_says(service: Box) -> None:
    pid = service.main_pid()
    service.configure('[streams.attic]\nsource = "demo:"\n')

    service.run("systemctl", "reload", "ooblexd")

    eventually(lambda: service.streams() == ["attic"])
    eventually(service.is_active)
    assert service.main_pid() == pid


def test_a_reload_of_a_broken_file_fails_and_changes_nothing(service: Box) -> None:
    service.configure("[streams.attic]\nsuorce = 1\n")

    service.run("systemctl", "reload", "ooblexd", code=1)

    assert service.is_active()
    assert service.streams() == ["demo", "yard"]
    journal = service.run("journalctl", "-u", "ooblexd", "-o", "cat")
    assert "streams.attic.suorce" in journal


def test_a_broken_file_behind_its_back_is_named_in_the_status(service: Box) -> None:
    service.configure("[streams.attic]\nsuorce = 1\n")

    service.run("systemctl", "kill", "--kill-who=main", "-s", "HUP", "ooblexd")

    eventually(lambda: "not reloaded: " in service.shown("StatusText"))
    assert service.streams() == ["demo", "yard"]


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_daemon_that_hangs_or_dies_is_replaced(
    service: Box, number: signal.Signals
) -> None:
    former, ingest = service.main_pid(), service.worker("ingest:demo")
    name = number.name.removeprefix("SIG")
    service.run("systemctl", "kill", "--kill-who=main", "-s", name, "ooblexd")

    eventually(lambda: returned(service, former), 60)

    assert service.streams() == ["demo", "yard"]
    assert service.worker("ingest:demo") not in (0, ingest)


@pytest.mark.parametrize("name", ["ingest:demo", "inference:0", "control"])
def test_a_worker_that_dies_is_not_the_services_business(
    service: Box, name: str
) -> None:
    pid, restarts = service.main_pid(), service.shown("NRestarts")
    former = service.worker(name)
    service.run("kill", "-KILL", str(former))

    eventually(lambda: service.worker(name) not in (0, former))

    assert service.is_active()
    assert (service.main_pid(), service.shown("NRestarts")) == (pid, restarts)


def test_it_stops_cleanly_and_leaves_nothing(service: Box) -> None:
    service.run("systemctl", "stop", "ooblexd")

    assert service.shown("Result") == "success"
    assert service.shown("ExecMainStatus") == "0"
    assert service.worker("ingest:demo") == 0
    assert not list(service.path("/dev/shm").iterdir())  # noqa: S108 # to be empty
    assert not service.path("/run/ooblexd").exists()


def test_the_journal_reads_well_and_holds_no_password(service: Box) -> None:
    lines = service.run("journalctl", "-u", "ooblexd", "-o", "json").splitlines()
    entries = [json.loads(line) for line in lines]

    said = [entry for entry in entries if entry.get("SYSLOG_IDENTIFIER") == "ooblexd"]
    assert any("delivers 1280x720" in entry["MESSAGE"] for entry in said)
    assert all(not entry["MESSAGE"].startswith("<") for entry in said)
    assert {"4", "6"} <= {entry["PRIORITY"] for entry in said}
    assert not any("s3cret" in line or "Traceback" in line for line in lines)


def test_journalctl_finds_what_is_worth_a_warning(service: Box) -> None:
    journal = ("journalctl", "-u", "ooblexd", "-o", "cat", "-p")

    warnings = service.run(*journal, "warning")
    everything = service.run(*journal, "info")

    assert "source down: connection refused" in warnings
    assert "delivers 1280x720" in everything
    assert "delivers 1280x720" not in warnings


def test_a_broken_file_at_the_boxs_start_is_no_dead_box(service: Box) -> None:
    service.configure("[streams.demo]\nsuorce = 1\n")
    service.reboot()
    eventually(service.is_active, 60)

    status = service.run("systemctl", "status", "ooblexd")
    health = json.loads(service.python("-c", ASK_WHATEVER, "/health"))

    assert "streams.demo.suorce: unknown key" in status
    assert "streams.demo.suorce" in json.dumps(health)
    assert service.streams() == ["demo", "yard"]  # the last good version runs
    service.configure(DEMO_AND_A_DEAD_CAMERA)
    service.run("systemctl", "reload", "ooblexd")
    eventually(lambda: "suorce" not in service.shown("StatusText"))


def test_it_starts_when_the_box_does(service: Box) -> None:
    service.reboot()

    eventually(service.is_active, 60)
    assert service.streams() == ["demo", "yard"]


def test_installing_it_again_disturbs_nobody(service: Box) -> None:
    pid = service.main_pid()

    said = service.run(PROGRAM, "install-service")

    assert "/etc/systemd/system/ooblexd.service: is as it should be" in said
    assert service.main_pid() == pid
    assert service.path(CONFIG).read_text() == DEMO_AND_A_DEAD_CAMERA


def test_a_unit_that_somebody_has_edited_is_kept_beside_the_new_one(
    service: Box,
) -> None:
    unit = service.path("/etc/systemd/system/ooblexd.service")
    written = unit.read_text()
    unit.write_text("# mine\n")

    said = service.run(PROGRAM, "install-service")

    assert "the former one is /etc/systemd/system/ooblexd.service.old1" in said
    assert unit.read_text() == written
    assert unit.with_name("ooblexd.service.old1").read_text() == "# mine\n"
    assert service.is_active()


def test_removing_it_leaves_the_configuration_and_the_user(service: Box) -> None:
    service.run(PROGRAM, "install-service", "--remove")
    try:
        assert service.worker("control") == 0
        assert not service.path("/etc/systemd/system/ooblexd.service").exists()
        assert service.run("systemctl", "is-enabled", "ooblexd", code=1)
        assert service.path(CONFIG).read_text() == DEMO_AND_A_DEAD_CAMERA
        service.run("id", "ooblexd")
        service.run(PROGRAM, "install-service", "--remove")
        service.path(CONFIG).unlink()
    finally:
        service.run(PROGRAM, "install-service")
    assert service.streams() == ["demo"]
    assert service.run("stat", "-c", "%U:%G %a", CONFIG) == "ooblexd:ooblexd 640"
