"""``ooblexd status``: the streams and workers of the running daemon."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode
from ooblexd.errors import NoDaemonError
from ooblexd.status import cpu_percent

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console
    from typing_extensions import Self

    from ooblexd.cli.command import Commands
    from ooblexd.status import Status

    Ask = Callable[[], Status]

_LOAD_OVER_S = 0.5
_REFRESH_S = 1.0
_PIPE_COLUMNS = 200


def add_command(commands: Commands) -> None:
    """Add ``status``."""
    parser = command(
        commands,
        "status",
        _status,
        "show the streams and workers of the running daemon",
        "ooblexd status --watch",
    )
    parser.add_argument(
        "--watch", action="store_true", help="refresh each second; Ctrl-C ends it"
    )
    parser.add_argument(
        "--json", action="store_true", help="for scripts; with --watch a line a second"
    )
    parser.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        help="the daemon's control socket; without it, it is looked for",
    )


def _status(chosen: argparse.Namespace) -> ExitCode:
    from ooblexd.cli.running import read_status  # noqa: PLC0415 # `run` needs none

    def ask() -> Status:
        return read_status(chosen.socket, os.environ)

    show = _show_json if chosen.json else _show_tables
    try:
        show(ask, is_watching=chosen.watch)
    except NoDaemonError as error:
        sys.stderr.write(f"ooblexd: {error}\n")
        return ExitCode.FAILED
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 # until the exit
    return ExitCode.DONE


def _show_json(ask: Ask, *, is_watching: bool) -> None:
    former = ask()
    _pause(_LOAD_OVER_S)
    while True:
        status = ask()
        indent = None if is_watching else 2
        sys.stdout.write(json.dumps(_document(status, former), indent=indent) + "\n")
        sys.stdout.flush()
        if not is_watching:
            return
        former = status
        _pause(_REFRESH_S)


def _document(status: Status, former: Status) -> dict[str, object]:
    """Return what ``--json`` shows: the status and the load of each worker."""
    workers = [
        {**asdict(one), "cpu_percent": _rounded(cpu_percent(former, status, one.name))}
        for one in status.workers
    ]
    return {**asdict(status), "address": status.address, "workers": workers}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _show_tables(ask: Ask, *, is_watching: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 # `run` needs none

    from ooblexd.cli.tables import status_view  # noqa: PLC0415 # likewise

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_COLUMNS)
    former = ask()
    if is_watching and console.is_terminal:
        _watch(ask, console, former)
    _pause(_LOAD_OVER_S)
    while True:
        status = ask()
        console.print(status_view(status, former, console.width))
        if not is_watching:
            return
        console.print()
        former = status
        _pause(_REFRESH_S)


def _watch(ask: Ask, console: Console, former: Status) -> NoReturn:
    """Draw the status until Ctrl-C; a daemon that goes away may come back."""
    from rich.live import Live  # noqa: PLC0415 # `run` needs none

    from ooblexd.cli.tables import status_view  # noqa: PLC0415 # likewise

    status, problem = former, ""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        _Resizes() as resizes,
        Live(
            console=console, screen=True, auto_refresh=False, vertical_overflow="crop"
        ) as live,
    ):
        while True:
            view = status_view(status, former, console.width, problem)
            live.update(view, refresh=True)
            if resizes.wait(_REFRESH_S):
                continue
            try:
                former, status, problem = status, ask(), ""
            except NoDaemonError as error:
                problem = f"{error}; looking again each second"


class _Resizes:
    """Wakes the wait when the terminal gets another size."""

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._former = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGWINCH, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        signal.set_wakeup_fd(self._former)
        os.close(self._reading)
        os.close(self._writing)

    def wait(self, seconds: float) -> bool:
        """Wait, and return early with True when there is a new size to draw for."""
        ready = bool(select.select([self._reading], [], [], seconds)[0])
        if ready:
            os.read(self._reading, 1024)
        return ready


def _pause(seconds: float) -> None:
    select.select([], [], [], seconds)
