"""What ``ooblexd run`` begins with: the file's configuration, or what stands in for it.

At a terminal a mistake in the file is told, and whoever reads it mends it. A service
that ends over one is a dead box: its manager starts it again for ever or never, and the
cameras are watched and recorded by nobody. So it goes on, with the last good version of
the file where there is one, since a box that protects and records as it did yesterday
is better than one that does nothing; else with the page and the API alone, which say
what is wrong. Either way nothing hides it: ``/health``, the page, the log and
``systemctl status`` name each mistake until a reload finds none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ooblexd.commands import Runs
from ooblexd.errors import ConfigError
from ooblexd.plan import format_plan
from ooblexd.supervisor.reading import Reading, read_unless_stopped
from ooblexd.supervisor.reload import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ooblexd.supervisor.signals import SignalPipe


def wants_safe_mode(
    asked: bool | None,  # noqa: FBT001 # an answer of the command line, not a switch
    environ: Mapping[str, str],
    pid: int,
    *,
    is_terminal: bool,
) -> bool:
    """Say whether to go on with a configuration that cannot be used.

    Args:
        asked: What the command line says; None leaves it to us.
        environ: Of this process.
        pid: Of this process.
        is_terminal: Whether somebody reads what it prints.

    Returns:
        True for a service: what systemd started itself (systemd.exec(5),
        ``SYSTEMD_EXEC_PID``; not what merely inherits the environment of one), what is
        to notify it, and the first process of a container.
    """
    if asked is not None:
        return asked
    of_systemd = environ.get("SYSTEMD_EXEC_PID") == str(pid)
    is_service = of_systemd or "NOTIFY_SOCKET" in environ or pid == 1
    return is_service and not is_terminal


def begin_with(
    config: Path | None, signals: SignalPipe, *, goes_on: bool
) -> Configuration | None:
    """Return what to begin with; None where a signal to stop came first.

    Args:
        config: The file, see `find_config_path`.
        signals: That come meanwhile.
        goes_on: Whether a file that cannot be used is no reason to end.

    Raises:
        ConfigError: It cannot be used, and that is one.
        CannotStartError: It could not be read.
    """
    problems: tuple[str, ...] = ()
    ways: tuple[tuple[Runs, Callable[[Path | None], str]], ...] = (
        (Runs.FILE, plan_as_json),
        (Runs.LAST_GOOD, _last_good_as_json),
        (Runs.NOTHING, _safe_as_json),
    )
    for runs, parse in ways:
        try:
            plan = read_unless_stopped(_begin_reading(parse, config), signals)
        except ConfigError as error:
            if not goes_on or runs is Runs.NOTHING:
                raise
            problems = problems or error.problems
            continue
        return None if plan is None else Configuration(plan, runs, problems)
    raise AssertionError("safe mode reads nothing that could be wrong")


def _begin_reading(
    parse: Callable[[Path | None], str], config: Path | None
) -> Callable[[], Reading]:
    return lambda: Reading(lambda: parse(config))


def plan_as_json(config: Path | None) -> str:
    """Return what the configuration asks for; to be called in a child.

    Raises:
        ConfigError: It cannot be used.
    """
    from ooblexd.config.load import load_config  # noqa: PLC0415 # in the child alone
    from ooblexd.config.plans import plan_of  # noqa: PLC0415 # likewise

    return format_plan(plan_of(load_config(config, os.environ)))


def _last_good_as_json(config: Path | None) -> str:
    from ooblexd.config.fallback import last_good_plan  # noqa: PLC0415 # likewise

    return format_plan(last_good_plan(config, os.environ))


def _safe_as_json(config: Path | None) -> str:
    from ooblexd.config.fallback import safe_plan  # noqa: PLC0415 # likewise

    return format_plan(safe_plan(config, os.environ))
