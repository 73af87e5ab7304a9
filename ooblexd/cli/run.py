"""``ooblexd run``: reads the configuration in a throw-away child, then supervises."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode
from ooblexd.errors import CannotStartError, ConfigError, SharedMemoryFullError
from ooblexd.plan import DaemonPlan, format_plan, parse_daemon_plan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ooblexd.cli.command import Commands

_PARSED_WITHIN_S = 20


def add_command(commands: Commands) -> None:
    """Add ``run``."""
    parser = command(
        commands,
        "run",
        _run,
        "run the daemon in the foreground",
        "ooblexd run --config /etc/ooblexd/ooblexd.toml",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")


def _run(chosen: argparse.Namespace) -> ExitCode:
    from ooblexd.log import configure_logging  # noqa: PLC0415 # the parser needs none
    from ooblexd.stages.worker import run_worker  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.listener import open_listener  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.supervisor import Supervisor  # noqa: PLC0415 # likewise

    def reread() -> DaemonPlan:
        return in_throwaway_child(lambda: _plan_as_json(chosen.config))

    try:
        plan = reread()
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return ExitCode.USAGE
    _raise_descriptor_limit()
    try:
        listener = open_listener(plan.host, plan.port)
        configure_logging("supervisor", plan.log_level)
        supervisor = Supervisor(plan, listener, run_worker, reread)
        _greet(plan, listener.getsockname()[1])
        supervisor.run()
    except (CannotStartError, SharedMemoryFullError) as error:
        sys.stderr.write(f"ooblexd: {error}\n")
        return ExitCode.CANNOT_START
    return ExitCode.DONE


def _raise_descriptor_limit() -> None:
    """Take what the system allows: each stream needs some twenty descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _greet(plan: DaemonPlan, port: int) -> None:
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    names = ", ".join(stream.name for stream in plan.streams) or "none yet"
    is_new = "" if Path(plan.config_path).exists() else " (made by the first change)"
    sys.stderr.write(
        f"ooblexd {__version__}  streams: {names}\n"
        f"configuration: {plan.config_path}{is_new}\n"
        f"open http://{host}:{port}/ in a browser; Ctrl-C stops\n"
    )


def _plan_as_json(config: Path | None) -> str:
    from ooblexd.config.load import load_config  # noqa: PLC0415 # in the child alone
    from ooblexd.config.plans import plan_of  # noqa: PLC0415 # likewise

    return format_plan(plan_of(load_config(config, os.environ)))


def in_throwaway_child(parse: Callable[[], str]) -> DaemonPlan:
    """Parse the configuration in a child, so that pydantic stays out of this process.

    Raises:
        ConfigError: The configuration cannot be used.
        CannotStartError: The child died; it has said why.
    """
    with tempfile.TemporaryFile() as answer:
        pid = os.fork()
        if pid == 0:
            _answer(parse, answer.fileno())
        _, status = os.waitpid(pid, 0)
        answer.seek(0)
        text = answer.read().decode()
    code = os.waitstatus_to_exitcode(status)
    if code == ExitCode.DONE:
        return parse_daemon_plan(text)
    if code == ExitCode.USAGE:
        raise ConfigError(text.split("\n"))
    raise CannotStartError("the configuration could not be read; see above")


def _answer(parse: Callable[[], str], fd: int) -> None:
    code = 1
    signal.set_wakeup_fd(-1)  # the supervisor's pipe, at a reload
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(_PARSED_WITHIN_S)  # a file on a dead network drive, say
    try:
        try:
            text, code = parse(), ExitCode.DONE
        except ConfigError as error:
            text, code = "\n".join(error.problems), ExitCode.USAGE
        os.write(fd, text.encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)
