"""``ooblexd doctor``: what this box can do, and what is wrong with it."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode
from ooblexd.errors import CannotStartError, ConfigError, NoDaemonError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from ooblexd.checks import Finding, Subject
    from ooblexd.checks.catalogue import Group
    from ooblexd.cli.command import Commands
    from ooblexd.plan import DaemonPlan

    Told = Iterator[tuple[Group, list[Finding]]]

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_NAME_COLUMNS = 19


def add_command(commands: Commands) -> None:
    """Add ``doctor``."""
    parser = command(
        commands,
        "doctor",
        _doctor,
        "say what this box can do and what is wrong, with the remedy; 1 if it fails",
        "ooblexd doctor --config /etc/ooblexd/ooblexd.toml",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="for scripts")


def _doctor(chosen: argparse.Namespace) -> ExitCode:
    try:
        told = _findings(_subject(chosen.config))
        levels = _tell_json(told) if chosen.json else _tell(told)
        sys.stdout.flush()
    except (KeyboardInterrupt, BrokenPipeError):  # nobody wants to know the rest
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 # until the exit
        return ExitCode.FAILED
    return ExitCode.FAILED if levels["fail"] else ExitCode.DONE


def _findings(subject: Subject) -> Told:
    """Yield each group with what was found in it, as soon as it is complete."""
    from ooblexd.checks.catalogue import groups_of  # noqa: PLC0415 # `run` needs none
    from ooblexd.checks.parallel import run_tasks  # noqa: PLC0415 # likewise

    groups = groups_of(subject)
    answers = run_tasks([task for group in groups for task in group.tasks])
    for group in groups:
        found = [next(answers) for _ in group.tasks]
        yield group, [finding for findings in found for finding in findings]


def _subject(config: Path | None) -> Subject:
    from ooblexd.checks import Subject  # noqa: PLC0415 # `run` needs none
    from ooblexd.cli.running import read_status  # noqa: PLC0415 # likewise
    from ooblexd.config.state import state_folder  # noqa: PLC0415 # likewise

    plan, problems = _plan(config)
    path, is_demo = _location(config)
    found = Subject(
        path, is_demo, plan, problems, state_folder=state_folder(os.environ)
    )
    try:
        return replace(found, running=read_status(None, os.environ))
    except NoDaemonError as error:
        return replace(found, no_daemon=error)


def _plan(config: Path | None) -> tuple[DaemonPlan | None, tuple[str, ...]]:
    """Read the configuration in a child: it loads much, and this process forks on."""
    from ooblexd.cli.beginning import plan_as_json  # noqa: PLC0415 # heavy
    from ooblexd.supervisor.reading import Reading  # noqa: PLC0415 # likewise

    try:
        return Reading(lambda: plan_as_json(config)).plan(), ()
    except ConfigError as error:
        return None, error.problems
    except CannotStartError as error:
        return None, (str(error),)


def _location(config: Path | None) -> tuple[Path, bool]:
    from ooblexd.config.location import find_config_path  # noqa: PLC0415 # heavy

    found = find_config_path(config, os.environ)
    return found.path, found.is_demo


def _tell_json(told: Told) -> Counter[str]:
    levels: Counter[str] = Counter()
    rows = []
    for group, findings in told:
        for finding in findings:
            levels[finding.level.value] += 1
            rows.append({"group": group.title, **asdict(finding)})
    status = next((one for one in ("fail", "warn") if levels[one]), "ok")
    document = {"version": __version__, "status": status, "checks": rows}
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return levels


def _tell(told: Told) -> Counter[str]:
    from rich.console import Console  # noqa: PLC0415 # `run` needs none

    console = Console(highlight=False)
    levels: Counter[str] = Counter()
    for group, findings in told:
        levels.update(finding.level.value for finding in findings)
        console.print(f"[bold]{group.title}[/bold]")
        if console.is_terminal:
            console.print(_table(findings))
        else:
            sys.stdout.writelines(map(_line, findings))
    _sum_up(console, levels)
    return levels


def _line(finding: Finding) -> str:
    """Return a finding as one line, however long: for a file or a pipe."""
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    text = " ".join(f"{finding.text}{remedy}".split())
    return f"{finding.level.value:>6}  {finding.name:<{_NAME_COLUMNS}}  {text}\n"


def _table(findings: list[Finding]) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415 # `run` needs none
    from rich.text import Text  # noqa: PLC0415 # likewise

    from ooblexd.cli.tables import plain  # noqa: PLC0415 # likewise

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=6, justify="right")
    table.add_column(width=_NAME_COLUMNS, overflow="fold")
    table.add_column(overflow="fold")
    for finding in findings:
        level = finding.level.value
        text = Text(plain(finding.text))
        if finding.remedy:
            text.append(f" \N{RIGHTWARDS ARROW} {plain(finding.remedy)}", "cyan")
        table.add_row(Text(level, _STYLES[level]), Text(plain(finding.name)), text)
    return table


def _sum_up(console: Console, levels: Counter[str]) -> None:
    if levels["fail"]:
        told = f"{levels['fail']} failed, {levels['warn']} to look at"
        console.print(f"\n[bold red]{told}[/bold red]")
    elif levels["warn"]:
        console.print(f"\n[yellow]nothing fails; {levels['warn']} to look at[/yellow]")
    else:
        console.print("\n[green]all is well[/green]")
