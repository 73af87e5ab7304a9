"""``ooblexd run``: reads the configuration in a throw-away child, then supervises."""

from __future__ import annotations

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
from ooblexd.plan import format_plan

if TYPE_CHECKING:
    import argparse
    import socket

    from ooblexd.cli.command import Commands
    from ooblexd.plan import DaemonPlan
    from ooblexd.supervisor.signals import SignalPipe

logger = logging.getLogger(__name__)


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
    from ooblexd.supervisor.signals import SignalPipe  # noqa: PLC0415 # see below

    # First of all: from here on a signal to stop is a clean stop.
    signals = SignalPipe()
    try:
        _supervise(chosen.config, signals)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return ExitCode.USAGE
    except (CannotStartError, SharedMemoryFullError) as error:
        sys.stderr.write(f"ooblexd: {error}\n")
        return ExitCode.CANNOT_START
    return ExitCode.DONE


def _supervise(config: Path | None, signals: SignalPipe) -> None:
    from ooblexd.log import configure_logging  # noqa: PLC0415 # the parser needs none
    from ooblexd.stages.worker import run_worker  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.listener import open_listener  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.notify import Notifier  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.reading import (  # noqa: PLC0415 # likewise
        Reading,
        read_unless_stopped,
    )
    from ooblexd.supervisor.reload import Configuration  # noqa: PLC0415 # likewise
    from ooblexd.supervisor.supervisor import (  # noqa: PLC0415 # likewise
        Outside,
        Supervisor,
    )

    notifier = Notifier.take(os.environ, os.getpid())

    def reread() -> Reading:
        return Reading(lambda: plan_as_json(config))

    plan = read_unless_stopped(reread, signals)
    if plan is None:
        return
    _raise_descriptor_limit()
    listener = open_listener(plan.host, plan.port)
    configure_logging("supervisor", plan.log_level, plan.log_format)
    with ExitStack() as stack:
        outside = Outside(listener, signals, _open_control_socket(stack), notifier)
        supervisor = Supervisor(Configuration(plan), outside, run_worker, reread)
        _greet(plan, listener.getsockname()[1])
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


def _greet(plan: DaemonPlan, port: int) -> None:
    from ooblexd.log import is_for_people  # noqa: PLC0415 # as above

    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    names = ", ".join(stream.name for stream in plan.streams) or "none yet"
    is_new = "" if Path(plan.config_path).exists() else " (made by the first change)"
    lines = (
        f"ooblexd {__version__}  streams: {names}",
        f"configuration: {plan.config_path}{is_new}",
        f"open http://{host}:{port}/ in a browser; Ctrl-C stops",
    )
    if is_for_people(sys.stderr, plan.log_format):
        sys.stderr.write("".join(f"{line}\n" for line in lines))
    else:
        logger.info("; ".join(lines))


def plan_as_json(config: Path | None) -> str:
    """Return the plan of the configuration; it loads much, so call it in a child.

    Raises:
        ConfigError: The configuration cannot be used.
    """
    from ooblexd.config.load import load_config  # noqa: PLC0415 # in the child alone
    from ooblexd.config.plans import plan_of  # noqa: PLC0415 # likewise

    return format_plan(plan_of(load_config(config, os.environ)))
