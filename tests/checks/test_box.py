"""Processor, system and graphics, as other boxes show them in /proc and /sys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.checks import Finding, Level
from ooblexd.checks.cpu import check_cpu, check_speed
from ooblexd.checks.gpu import check_gpu
from ooblexd.checks.system import check_system

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

X86 = "processor\t: 0\nmodel name\t: A Xeon\nflags\t\t: sse4_2 {}\nprocessor\t: 1\n"
PI_4 = "processor\t: 0\nFeatures\t: fp asimd crc32\n"
PI_5 = "processor\t: 0\nFeatures\t: fp asimd asimddp\n"


def box(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def named(findings: list[Finding], name: str) -> Finding:
    (found,) = [one for one in findings if one.name == name]
    return found


def test_the_model_and_the_cores_that_are_ours_are_named(tmp_path: Path) -> None:
    root = box(tmp_path, {"proc/cpuinfo": X86.format("avx2 fma avx512_vnni")})

    findings = check_cpu(root, usable=1)

    assert named(findings, "cpu").text == "A Xeon, 1 of 2 cores usable"
    assert named(findings, "instructions").text == "AVX2, FMA, AVX512_VNNI"


def test_a_processor_without_avx2_is_slow(tmp_path: Path) -> None:
    root = box(tmp_path, {"proc/cpuinfo": X86.format("avx")})

    found = named(check_cpu(root, usable=2), "instructions")

    assert found.level is Level.WARN
    assert "CPU type `host`" in found.remedy


@pytest.mark.parametrize(
    ("info", "text"),
    [(PI_4, "NEON, no dot product (int8 is slow)"), (PI_5, "NEON, dot product")],
)
def test_arm_has_neon_and_maybe_the_dot_product(
    tmp_path: Path, info: str, text: str
) -> None:
    board = "Raspberry Pi 4 Model B\0"
    root = box(tmp_path, {"proc/cpuinfo": info, "proc/device-tree/model": board})

    findings = check_cpu(root, usable=4)

    assert named(findings, "instructions").text == text
    assert named(findings, "cpu").text.startswith("Raspberry Pi 4 Model B, 4 of")


@pytest.mark.parametrize(
    ("limit", "level", "text"),
    [
        ("max 100000", Level.OK, "cores usable"),
        ("150000 100000", Level.OK, "the time of 1.5"),
        ("50000 100000", Level.WARN, "the time of 0.5"),
    ],
)
def test_a_containers_share_of_the_processor_counts(
    tmp_path: Path, limit: str, level: Level, text: str
) -> None:
    files = {
        "proc/cpuinfo": X86.format("avx2"),
        "proc/self/cgroup": "0::/box/inner\n",
        "sys/fs/cgroup/box/inner/cgroup.procs": "",
        "sys/fs/cgroup/box/cpu.max": limit,
    }

    found = named(check_cpu(box(tmp_path, files), usable=2), "cpu")

    assert found.level is level
    assert text in found.text


CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"
THROTTLE = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


@pytest.mark.parametrize(
    ("files", "name", "level"),
    [
        ({f"{CPUFREQ}/scaling_governor": "powersave\n"}, "clock rate", Level.WARN),
        ({f"{CPUFREQ}/scaling_governor": "ondemand\n"}, "clock rate", Level.OK),
        (
            {
                f"{CPUFREQ}/scaling_governor": "powersave\n",
                f"{CPUFREQ}/scaling_driver": "intel_pstate\n",
            },
            "clock rate",
            Level.OK,
        ),
        ({"sys/class/thermal/thermal_zone0/temp": "84000\n"}, "heat", Level.WARN),
        ({"sys/class/thermal/thermal_zone0/temp": "48000\n"}, "heat", Level.OK),
        ({THROTTLE: "12\n"}, "heat", Level.WARN),
        ({FIRMWARE: "50005\n"}, "power", Level.WARN),
        ({FIRMWARE: "60000\n"}, "power", Level.WARN),
        ({}, "clock rate", Level.OK),
    ],
)
def test_what_slows_the_processor_down_is_found(
    tmp_path: Path, files: dict[str, str], name: str, level: Level
) -> None:
    (found,) = check_speed(box(tmp_path, files))

    assert (found.name, found.level) == (name, level)
    assert bool(found.remedy) == (level is Level.WARN)


def test_the_system_and_the_container_are_named(tmp_path: Path) -> None:
    files = {"etc/os-release": 'PRETTY_NAME="Debian 12"\n', ".dockerenv": ""}

    (found,) = check_system(box(tmp_path, files))

    assert found.text.endswith(", Debian 12, in a container")


def test_a_box_without_a_graphics_processor_is_fine(tmp_path: Path) -> None:
    (found,) = check_gpu(tmp_path)

    assert (found.level, found.text) == (
        Level.OK,
        "none: everything runs on the processor",
    )


def test_a_jetson_and_a_driver_are_named(tmp_path: Path) -> None:
    jetson = {"etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, x\n"}
    event = {"sys/class/drm/renderD128/device/uevent": "DRIVER=i915\nPCI_ID=1\n"}

    (on_jetson,) = check_gpu(box(tmp_path / "jetson", jetson))
    (on_intel,) = check_gpu(box(tmp_path / "intel", event))

    assert on_jetson.text == "NVIDIA Jetson, R36 (release), REVISION: 4.3"
    assert on_intel.text == "i915; nothing uses it yet"
