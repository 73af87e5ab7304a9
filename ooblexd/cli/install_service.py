"""``ooblexd install-service``: the daemon as a service of systemd, for users of pip.

There is no service for a single user (``systemctl --user``): the box has to serve from
its start, with nobody logged in, and the sandbox needs the system's systemd.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode

if TYPE_CHECKING:
    import argparse

    from ooblexd.cli.command import Commands
    from ooblexd.cli.service_files import ServiceFile

_BOOTED_BY_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_ELSEWHERE = """\
Make an installation that it can run:
  /usr/bin/python3 -m venv /opt/ooblexd
  /opt/ooblexd/bin/pip install ooblexd
  /opt/ooblexd/bin/ooblexd install-service
"""


class _FailedError(Exception):
    """What was asked for could not be done; the message says why."""


def add_command(commands: Commands) -> None:
    """Add ``install-service``."""
    parser = command(
        commands,
        "install-service",
        _install_service,
        "have systemd start the daemon now and at every boot",
        "ooblexd install-service --print",
    )
    parser.add_argument(
        "--no-start", action="store_true", help="only put the files in place"
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--print", action="store_true", help="show what would be done, and do nothing"
    )
    ways.add_argument(
        "--remove",
        action="store_true",
        help="undo it; configuration, state and user stay",
    )


def _install_service(chosen: argparse.Namespace) -> ExitCode:
    from ooblexd.cli.service_files import (  # noqa: PLC0415 # for this command alone
        service_files,
        this_program,
    )

    files = service_files(this_program())
    try:
        if chosen.print:
            _print(files)
        elif chosen.remove:
            _require_root()
            _remove(files)
        else:
            _require_root()
            _require_reach()
            _install(files, is_start_wanted=not chosen.no_start)
    except _FailedError as error:
        sys.stderr.write(f"ooblexd: {error}\n")
        return ExitCode.FAILED
    return ExitCode.DONE


def _print(files: tuple[ServiceFile, ...]) -> None:
    from ooblexd.cli.service_files import why_unreachable  # noqa: PLC0415 # as above

    for file in files:
        sys.stdout.write(f"# {file.path}\n{file.text}\n")
    sys.stdout.write("# and then\n")
    for words in (*_make_user(files), *_enable(), ("systemctl", "start", "ooblexd")):
        sys.stdout.write(f"{' '.join(words)}\n")
    if why := why_unreachable():
        sys.stdout.write(f"# but not from here: {why}\n")


def _require_root() -> None:
    if os.geteuid() != 0:
        raise _FailedError("this changes the system: run it by sudo, or as root")


def _require_reach() -> None:
    from ooblexd.cli.service_files import (  # noqa: PLC0415 # as above
        PACKAGED_UNITS,
        why_unreachable,
    )

    if why := why_unreachable():
        raise _FailedError(f"the service could not run this: {why}.\n{_ELSEWHERE}")
    for unit in PACKAGED_UNITS:
        if unit.exists():
            raise _FailedError(f"a package of this system has brought {unit}: use that")


def _install(files: tuple[ServiceFile, ...], *, is_start_wanted: bool) -> None:
    is_booted = _BOOTED_BY_SYSTEMD.is_dir()
    if is_start_wanted and not is_booted:
        raise _FailedError("systemd does not run here; --no-start only puts files")
    changed = [file for file in files if _place(file)]
    _place_configuration()
    enable = _enable() if is_booted else _enable()[1:]
    for words in (*_make_user(files), *enable):
        _run(*words)
    if not is_start_wanted:
        return
    # What runs as it should is not disturbed, nor are its viewers.
    _run("systemctl", "restart" if changed else "start", "ooblexd")
    sys.stdout.write(
        "ooblexd runs, now and after every boot. How it does:\n"
        "  systemctl status ooblexd\n"
        "  journalctl -u ooblexd\n"
    )


def _make_user(files: tuple[ServiceFile, ...]) -> list[tuple[str, ...]]:
    _, users, folders = files
    return [
        ("systemd-sysusers", str(users.path)),
        ("systemd-tmpfiles", "--create", str(folders.path)),
    ]


def _enable() -> list[tuple[str, ...]]:
    return [("systemctl", "daemon-reload"), ("systemctl", "enable", "ooblexd")]


def _place(file: ServiceFile) -> bool:
    """Write a file where it is missing or another, which is kept beside it.

    Returns:
        Whether there was something to write.
    """
    try:
        former = file.path.read_text()
    except FileNotFoundError:
        former = None
    if former == file.text:
        sys.stdout.write(f"{file.path}: is as it should be\n")
        return False
    kept = ""
    if former is not None:
        kept = f"; the former one is {_keep_beside(file.path)}"
    file.path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with open(fd, "w") as writing:  # noqa: PTH123 # a descriptor
        os.fchmod(fd, 0o644)  # systemd reads it, whatever the umask of its writer
        writing.write(file.text)
    sys.stdout.write(f"{file.path}: written{kept}\n")
    return True


def _keep_beside(path: Path) -> Path:
    """Rename ``path`` to a name that is free, and that systemd does not read."""
    for number in itertools.count(1):
        kept = path.with_name(f"{path.name}.old{number}")
        if not kept.exists():
            return path.rename(kept)
    raise AssertionError  # there is always a number


def _place_configuration() -> None:
    from ooblexd.cli.service_files import CONFIG  # noqa: PLC0415 # as above
    from ooblexd.config.demo import DEMO_TEXT  # noqa: PLC0415 # as above

    CONFIG.parent.mkdir(exist_ok=True)
    try:
        fd = os.open(CONFIG, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    except FileExistsError:
        sys.stdout.write(f"{CONFIG}: stays as it is\n")
        return
    with open(fd, "w") as writing:  # noqa: PTH123 # a descriptor
        writing.write(DEMO_TEXT)
    sys.stdout.write(f"{CONFIG}: written, with the demo\n")


def _remove(files: tuple[ServiceFile, ...]) -> None:
    from ooblexd.cli.service_files import CONFIG  # noqa: PLC0415 # as above

    unit = files[0].path
    if unit.exists():
        now = ("--now",) if _BOOTED_BY_SYSTEMD.is_dir() else ()
        _run("systemctl", "disable", *now, "ooblexd")
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # it was not there: as it should
            file.path.unlink()
            sys.stdout.write(f"{file.path}: removed\n")
    if _BOOTED_BY_SYSTEMD.is_dir():
        _run("systemctl", "daemon-reload")
    sys.stdout.write(f"{CONFIG}, /var/lib/ooblexd and the user ooblexd stay\n")


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603 # systemd's own programs
    except FileNotFoundError as exc:
        raise _FailedError(f"there is no {words[0]}: is this systemd?") from exc
    except subprocess.CalledProcessError as exc:
        said = exc.stderr.strip() or f"exit code {exc.returncode}"
        raise _FailedError(f"{' '.join(words)}: {said}") from exc
