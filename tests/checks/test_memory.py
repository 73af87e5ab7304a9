from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ooblexd.board import Board
from ooblexd.checks import Level
from ooblexd.checks.memory import check_core_dumps, check_memory, check_swap
from ooblexd.checks.needs import descriptors, memory_bytes, shared_memory_bytes
from ooblexd.checks.shared_memory import check_room, check_shared_memory
from ooblexd.plan import DaemonPlan, StreamPlan
from ooblexd.supervisor.stream import Stream
from tests.checks.test_box import box

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
MEMINFO = "MemTotal: 4096000 kB\nMemAvailable: 1024000 kB\n"
SWAPS = "Filename Type Size Used Priority\n"


def plan(*streams: StreamPlan) -> DaemonPlan:
    return DaemonPlan("127.0.0.1", 8800, "", streams=streams)


@pytest.mark.parametrize(
    ("needed", "is_running", "limit", "level"),
    [
        (500 * MIB, False, "max", Level.OK),
        (2000 * MIB, False, "max", Level.WARN),
        (2000 * MIB, True, "max", Level.OK),
        (5000 * MIB, True, "max", Level.FAIL),
        (500 * MIB, False, str(400 * MIB), Level.FAIL),
    ],
)
def test_memory_is_judged_by_what_the_streams_need(
    tmp_path: Path, needed: int, *, is_running: bool, limit: str, level: Level
) -> None:
    files = {"proc/meminfo": MEMINFO, "sys/fs/cgroup/memory.max": limit}

    (found,) = check_memory(box(tmp_path, files), needed, is_running=is_running)

    assert found.level is level, found
    assert bool(found.remedy) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("swaps", "files", "level"),
    [
        ("", {}, Level.OK),
        ("/dev/sda2 partition 2097148 0 -2\n", {}, Level.WARN),
        ("/swapfile file 2097148 0 -2\n", {}, Level.WARN),
        ("/dev/zram0 partition 2097148 0 100\n", {}, Level.OK),
        (
            "/dev/dm-1 partition 2097148 0 -2\n",
            {"sys/block/dm-1/dm/uuid": "CRYPT-LUKS2-x\n"},
            Level.OK,
        ),
        (
            "/dev/sda2 partition 2097148 0 -2\n",
            {
                "proc/77/cgroup": "0::/system.slice/ooblexd.service\n",
                "sys/fs/cgroup/system.slice/ooblexd.service/memory.swap.max": "0\n",
            },
            Level.OK,
        ),
    ],
)
def test_swap_on_a_disk_in_the_clear_is_told(
    tmp_path: Path, swaps: str, files: dict[str, str], level: Level
) -> None:
    root = box(tmp_path, {"proc/swaps": SWAPS + swaps, **files})

    (found,) = check_swap(root, "77")

    assert found.level is level, found


@pytest.mark.parametrize(
    ("pattern", "files", "level", "remedy"),
    [
        ("core\n", {}, Level.OK, ""),
        ("|/usr/share/apport/apport -p%p\n", {}, Level.WARN, "disable --now apport"),
        ("|/usr/lib/systemd/systemd-coredump %P\n", {}, Level.WARN, "Storage=none"),
        (
            "|/usr/lib/systemd/systemd-coredump %P\n",
            {"etc/systemd/coredump.conf.d/x.conf": "[Coredump]\nStorage=none\n"},
            Level.OK,
            "",
        ),
        ("|/bin/other\n", {}, Level.WARN, "kernel.core_pattern"),
    ],
)
def test_who_takes_the_memory_of_a_crashed_program_is_told(
    tmp_path: Path, pattern: str, files: dict[str, str], level: Level, remedy: str
) -> None:
    root = box(tmp_path, {"proc/sys/kernel/core_pattern": pattern, **files})

    (found,) = check_core_dumps(root)

    assert found.level is level
    assert remedy in found.remedy


@pytest.mark.parametrize("source", ["demo:", "upload:"])
def test_the_need_of_a_stream_is_what_its_rings_take(source: str) -> None:
    demo = StreamPlan("demo", source)
    stream = Stream(demo, "inference:0", Board())
    stream.open_rings(demo)

    taken = sum(ring.segment.spec.total_bytes for ring in stream.rings.values())
    stream.close()

    assert shared_memory_bytes(plan(demo)) == taken
    assert shared_memory_bytes(plan(demo, demo)) == 2 * taken
    assert shared_memory_bytes(plan(StreamPlan("off", "demo:", enabled=False))) == 0
    assert shared_memory_bytes(plan(demo), (1920, 1080)) > taken
    assert memory_bytes(plan(demo)) > taken
    assert descriptors(plan(demo)) < descriptors(plan(demo, demo))


def test_shared_memory_that_is_not_there_fails(tmp_path: Path) -> None:
    found = check_shared_memory(tmp_path / "none")

    assert found.level is Level.FAIL
    assert "mount -t tmpfs" in found.remedy
    assert check_room(1, 1, folder=tmp_path / "none") == found


def test_shared_memory_for_all_streams_is_fine(tmp_path: Path) -> None:
    assert check_room(1, 1, folder=tmp_path).level is Level.OK
    assert check_room(1, 1 << 60, folder=tmp_path).level is Level.WARN
    assert check_room(1 << 59, 1 << 60, folder=tmp_path).level is Level.FAIL


def in_own_mounts(code: str, *arguments: str) -> str:
    """Run Python code where it may mount; return what it prints."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    answer = subprocess.run(
        [*unshare, sys.executable, "-c", code, *arguments],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return answer.stdout


MOUNT = """
import os, subprocess, sys
shm = ["mount", "-t", "tmpfs", "-o", sys.argv[1], "tmpfs", "/dev/shm"]
subprocess.run(shm, check=True)
powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
os.execvp("setpriv", [*powerless, sys.executable, "-c", sys.argv[2]])
"""
TRY = """
from ooblexd.checks.shared_memory import try_segment
print(*(f"{one.level.value} {one.text}" for one in try_segment()))
"""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("ro", "fail shared memory cannot be made in /dev/shm: read-only file system"),
        (
            "mode=0555",
            "fail shared memory cannot be made in /dev/shm: permission denied",
        ),
        ("mode=1777", ""),
    ],
)
def test_shared_memory_is_judged_by_making_some(options: str, told: str) -> None:
    assert in_own_mounts(MOUNT, options, TRY) == f"{told}\n"


SMALL = """
import subprocess, sys
from pathlib import Path
from ooblexd.checks.shared_memory import check_room
mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", sys.argv[1]]
subprocess.run(mount, check=True)
found = check_room(100 << 20, 200 << 20, folder=Path(sys.argv[1]))
print(found.level.value, found.text, found.remedy)
"""


def test_a_containers_64_mb_are_named_with_dockers_remedy(tmp_path: Path) -> None:
    told = in_own_mounts(SMALL, str(tmp_path))

    assert told.startswith("fail 64 MiB of 64 MiB free")
    assert "--shm-size=512m" in told
