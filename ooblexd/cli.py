"""The command line: ``run``, ``check-config``, ``version``; and the exit codes."""

from __future__ import annotations

import argparse
import enum
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.errors import CannotStartError, ConfigError, SharedMemoryFullError
from ooblexd.plan import DaemonPlan, format_plan, parse_daemon_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PARSED_WITHIN_S = 20
_STDERR = 2


class ExitCode(enum.IntEnum):
    """What the process answers to whoever started it."""

    DONE = 0
    USAGE = 2  # bad usage or configuration
    CANNOT_START = 3  # a supervisor of ours should not try again


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _open_standard_streams()
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], ExitCode] = chosen.command
    return command(chosen)


def _open_standard_streams() -> None:
    """Have 0, 1 and 2 be what they should, for whoever starts us without them."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(fd, True)
    os.close(fd)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 # a descriptor
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 # likewise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ooblexd",
        description="Live-video AI daemon: a camera in, blurred faces out.",
    )
    parser.add_argument("--version", action="version", version=f"ooblexd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _command(
        commands,
        "run",
        _run,
        "run the daemon in the foreground",
        "ooblexd run --config /etc/ooblexd/ooblexd.toml",
    )
    run.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    check = _command(
        commands,
        "check-config",
        _check_config,
        "say what is wrong in a configuration, one line a problem",
        "ooblexd check-config ooblexd.toml",
    )
    check.add_argument("file", type=Path, nargs="?", metavar="FILE")
    _command(commands, "version", _version, "print the version", "ooblexd version")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], ExitCode],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example: {example}",
    )
    parser.set_defaults(command=run)
    return parser


def _version(chosen: argparse.Namespace) -> ExitCode:
    del chosen
    sys.stdout.write(f"ooblexd {__version__}\n")
    return ExitCode.DONE


def _check_config(chosen: argparse.Namespace) -> ExitCode:
    from ooblexd.config.load import check_config  # noqa: PLC0415 # heavy
    from ooblexd.config.location import find_config_path  # noqa: PLC0415 # likewise

    location = find_config_path(chosen.file, os.environ)
    problems = check_config(chosen.file)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if problems:
        return ExitCode.USAGE
    if location.is_demo:
        sys.stdout.write("no configuration file: `ooblexd run` starts the demo\n")
    else:
        sys.stdout.write(f"{location.path}: fine\n")
    return ExitCode.DONE


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
