"""``ooblexd run``: reads the configuration in a throw-away child, then supervises."""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode
from ooblexd.errors import (
    CannotStartError,
    ConfigError,
    ControlSocketError,
    SharedMemoryFullError,
)

if TYPE_CHECKING:
    import socket

    from ooblexd.cli.command import Commands
    from ooblexd.supervisor.reload import Configuration
    from ooblexd.supervisor.signals import SignalPipe

logger = logging.getLogger(__name__)

_BROKEN = (
    "A configuration that cannot be used is told, and the exit code is 2. A service "
    "(of systemd, or the first process of a container) goes on instead, without a "
    "terminal, so that the box is not dead: with the last good version of the file, "
    "else in safe mode, which serves the page and /health with what is wrong and runs "
    "no stream. Mend the file and send SIGHUP to leave it."
)


def add_command(commands: Commands) -> None:
    """Add ``run``."""
    parser = command(
        commands,
        "run",
        _run,
        "run the daemon in the foreground",
        "ooblexd run --config /etc/ooblexd/ooblexd.toml",
    )
    parser.description = f"{parser.description} {_BROKEN}"
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument(
        "--safe-mode",
        action=argparse.BooleanOptionalAction,
        help="go on with a configuration that cannot be used, or end (exit code 2), "
        "whoever starts the daemon",
    )


def _run(chosen: argparse.Namespace) -> ExitCode:
    from ooblexd.supervisor.signals import SignalPipe  # noqa: PLC0415 # see below

    # First of all: from here on a signal to stop is a clean stop.
    signals = SignalPipe()
    try:
        _supervise(chosen, signals)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return ExitCode.USAGE
    except (CannotStartError, SharedMemoryFullError) as error:
        sys.stderr.write(f"ooblexd: {error}\n")
        return ExitCode.CANNOT_START
    return ExitCode.DONE


def _supervise(chosen: argparse.Namespace, signals: SignalPipe) -> None:
    from ooblexd.cli.beginning import (  # noqa: PLC0415 # the parser needs none
        begin_with,
        plan_as_json,
        wants_safe_mode,
    )
    from ooblexd.log import configure_logging  # noqa: PLC0415 # likewise
    from ooblexd.stages.worker import run_worker  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.listener import open_listener  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.notify import Notifier  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.reading import Reading  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.supervisor import (  # noqa: PLC0415 # likewise
        Outside,
        Supervisor,
    )

    goes_on = wants_safe_mode(
        chosen.safe_mode, os.environ, os.getpid(), is_terminal=sys.stderr.isatty()
    )
    notifier = Notifier.take(os.environ, os.getpid())

    def reread() -> Reading:
        return Reading(lambda: plan_as_json(chosen.config))

    begin = begin_with(chosen.config, signals, goes_on=goes_on)
    if begin is None:
        return
    plan = begin.plan
    _raise_descriptor_limit()
    listener = open_listener(plan.host, plan.port)
    configure_logging("supervisor", plan.log_level, plan.log_format)
    with ExitStack() as stack:
        outside = Outside(listener, signals, _open_control_socket(stack), notifier)
        supervisor = Supervisor(begin, outside, run_worker, reread)
        _greet(begin, listener.getsockname()[1])
        supervisor.run()


def _open_control_socket(stack: ExitStack) -> socket.socket | None:
    from ooblexd.supervisor.control_socket import (  # noqa: PLC0415 # as above
        control_socket_path,
        open_control_socket,
    )

    try:
        opened = open_control_socket(control_socket_path(os.environ))
    except ControlSocketError as error:
        logger.warning("%s; `ooblexd status` does not see this daemon", error)
        return None
    return stack.enter_context(opened).listener


def _raise_descriptor_limit() -> None:
    """Take what the system allows: each stream needs some twenty descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _greet(begin: Configuration, port: int) -> None:
    from ooblexd.log import is_for_people  # noqa: PLC0415 # as above

    plan = begin.plan
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    names = ", ".join(stream.name for stream in plan.streams) or "none yet"
    is_new = " (made by the first change)" if plan.is_demo else ""
    lines = (
        f"ooblexd {__version__}  streams: {names}",
        f"configuration: {plan.config_path}{is_new}",
        f"open http://{host}:{port}/ in a browser; Ctrl-C stops",
    )
    if is_for_people(sys.stderr, plan.log_format):
        sys.stderr.write("".join(f"{line}\n" for line in lines))
    else:
        logger.info("; ".join(lines))
    for problem in begin.problems:
        logger.error("%s", problem)
    if begin.problems:
        logger.error("%s; mend it, then `kill -HUP %d`", begin.fault, os.getpid())
