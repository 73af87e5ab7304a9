"""Builds the ring's extension for ARM on another machine, and reads what came out.

``python -m tests.support.cross FILE`` builds it, for ``tools/arm``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

COMPILER = "aarch64-linux-gnu-gcc"
_OBJDUMP = "aarch64-linux-gnu-objdump"
_SOURCE = Path(__file__).parents[2] / "ooblexd" / "ring" / "_atomics.c"
_FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")


def build_extension(target: Path, *options: str) -> None:
    """Compile and link it into ``target``, as setuptools does, plus ``options``."""
    with tempfile.TemporaryDirectory() as folder:
        include = Path(folder)
        # Python's own pyconfig.h is that of this machine; both are 64-bit Linux.
        (include / "python").symlink_to(sysconfig.get_paths()["include"])
        # Debian keeps it in a folder by the name of the architecture.
        multiarch = sysconfig.get_config_var("MULTIARCH") or "none"
        (include / "aarch64-linux-gnu").symlink_to(Path("/usr/include", multiarch))
        command = [COMPILER, "-O2", "-fPIC", "-shared", "-DPy_LIMITED_API=0x030A0000"]
        headers = [f"-I{include / 'python'}", f"-I{include}"]
        subprocess.run(
            [*command, *options, *headers, _SOURCE, "-o", target], check=True
        )


def instructions_of(library: Path) -> dict[str, list[str]]:
    """Return each function's instructions, as ``ldar x0, [x0]``."""
    text = subprocess.run(
        [_OBJDUMP, "-d", "--no-show-raw-insn", library],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    functions: dict[str, list[str]] = {}
    instructions: list[str] = []
    for line in text.splitlines():
        if found := _FUNCTION.match(line):
            instructions = functions.setdefault(found[1], [])
        elif ":\t" in line:
            instructions.append(" ".join(line.partition(":\t")[2].split()))
    return functions


def missing_symbols(library: Path) -> list[str]:
    """Return the names that the library needs from others."""
    text = subprocess.run(
        [_OBJDUMP, "-T", library], check=True, capture_output=True, text=True
    ).stdout
    return [line.split()[-1] for line in text.splitlines() if "*UND*" in line]


if __name__ == "__main__":
    build_extension(Path(sys.argv[1]))
