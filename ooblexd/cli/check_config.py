"""``ooblexd check-config``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode

if TYPE_CHECKING:
    import argparse

    from ooblexd.cli.command import Commands


def add_command(commands: Commands) -> None:
    """Add ``check-config``."""
    parser = command(
        commands,
        "check-config",
        _check_config,
        "say what is wrong in a configuration, one line a problem",
        "ooblexd check-config ooblexd.toml",
    )
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE")


def _check_config(chosen: argparse.Namespace) -> ExitCode:
    from ooblexd.config.load import check_config, load_config  # noqa: PLC0415 # heavy
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
        streams = load_config(chosen.file, os.environ).streams
        for name in [name for name, stream in streams.items() if not stream.effects]:
            sys.stdout.write(f"streams.{name} has no effects: it is shown as it is\n")
        sys.stdout.write(f"{location.path}: fine\n")
    return ExitCode.DONE
