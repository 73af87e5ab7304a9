"""Runs benchmarks for real and keeps their numbers with the machine that made them.

``tools/bench [NAME...]`` calls this. A benchmark is a module of ``tests/benchmarks``
whose docstring says its question, setup, formula and what it leaves out, and whose
``run()`` gives its rows, together or each as it is measured: named tuples of one kind.
The table shows their fields, but for lists of single samples, which are in the JSON
alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "tests" / "benchmarks"
RESULTS = ROOT / "bench-results"


def main() -> int:
    """Run the benchmarks that the command line names, else all."""
    names = sorted(path.stem.removeprefix("bench_") for path in _modules())
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        usage="%(prog)s [-h] [--peers] [NAME ...]",
        epilog=f"benchmarks: {', '.join(names)}; --peers first brings what they "
        "compare ooblexd with, into .venv-peers",
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args().names or names
    for name in chosen:
        if name not in names:
            parser.error(f"no benchmark {name!r}; there are {', '.join(names)}")
    for name in chosen:
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        question = (module.__doc__ or name).splitlines()[0]
        sys.stdout.write(f"\n{question}\n\n")
        machine = describe_machine()
        rows = []
        for row in module.run():
            rows.append(row)
            sys.stderr.write(f"measured: {in_brief(row)}\n")
        path = write_results(name, question, machine, rows)
        sys.stdout.write(f"{format_table(rows)}\n\n{_in_words(machine)}\n")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


def format_table(rows: Sequence[Any]) -> str:
    """Return ``rows`` for people: a column a field, numbers to the right."""
    titles = [
        name for name in rows[0]._fields if not isinstance(getattr(rows[0], name), list)
    ]
    lines = [titles, *([_cell(getattr(row, name)) for name in titles] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_text = [isinstance(getattr(rows[0], name), str) for name in titles]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, is_text, strict=True)
        ).rstrip()
        for line in lines
    )


def in_brief(row: Any) -> str:
    """Return a row on a line, for whoever waits for the table."""
    cells = [_cell(value) for value in row if not isinstance(value, list)]
    return ", ".join(cells)


def _cell(value: float | str | None) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    decimals = 3 if 0 < abs(value) < 1 else 2 if 0 < abs(value) < 10 else 1
    return f"{value:.{decimals}f}"


def write_results(
    name: str, question: str, machine: dict[str, Any], rows: Sequence[Any]
) -> Path:
    """Write the rows, named tuples, as JSON into a new file of ``bench-results``."""
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(timezone.utc)
    path = RESULTS / f"{name}-{at:%Y%m%dT%H%M%SZ}.json"
    content = {
        "benchmark": name,
        "question": question,
        "at": at.isoformat(timespec="seconds"),
        "machine": machine,
        "rows": [row._asdict() for row in rows],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def describe_machine() -> dict[str, Any]:
    """Return what numbers depend on; the load is of what ran before and beside."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "governor": _governor(),
        "load_1min": os.getloadavg()[0],
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "commit": _commit(),
    }


def _in_words(machine: dict[str, Any]) -> str:
    return (
        f"{machine['cpu']}, {machine['cores']} cores, load before "
        f"{machine['load_1min']:.1f}, Linux {machine['kernel']}, "
        f"Python {machine['python']}, commit {machine['commit']}"
    )


def _modules() -> list[Path]:
    return list(BENCHMARKS.glob("bench_*.py"))


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.processor() or "unknown"


def _governor() -> str:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return path.read_text().strip() if path.exists() else "unknown"


def _commit() -> str:
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
