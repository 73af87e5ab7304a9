"""How a command enters the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ooblexd.cli.exit_code import ExitCode

    # argparse has no public name for it.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 # s.a.


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], ExitCode],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add the command ``name``, which calls ``run``; its arguments are the caller's."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example: {example}",
    )
    parser.set_defaults(command=run)
    return parser
