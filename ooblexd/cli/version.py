"""``ooblexd version``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode

if TYPE_CHECKING:
    import argparse

    from ooblexd.cli.command import Commands


def add_command(commands: Commands) -> None:
    """Add ``version``."""
    command(commands, "version", _version, "print the version", "ooblexd version")


def _version(chosen: argparse.Namespace) -> ExitCode:
    del chosen
    sys.stdout.write(f"ooblexd {__version__}\n")
    return ExitCode.DONE
