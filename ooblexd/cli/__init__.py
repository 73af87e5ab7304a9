"""The command line: one module a command, each with its own ``add_command``.

No module here imports at its top what only its command needs: ``ooblexd run`` forks,
and must be light until then.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.cli import (
    check_config,
    doctor,
    install_service,
    probe,
    run,
    status,
    version,
)
from ooblexd.cli.exit_code import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ExitCode", "main"]

_STDERR = 2
_BROKEN_PIPE = 128 + signal.SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _open_standard_streams()
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], ExitCode] = chosen.command
    try:
        code = command(chosen)
        sys.stdout.flush()
    except BrokenPipeError:  # as of `| head`, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return code


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
    for module in (run, status, probe, doctor, check_config, install_service, version):
        module.add_command(commands)
    return parser
