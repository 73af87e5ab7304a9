"""A command whose standard output is read, under a warden that ends it for good."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S
from ooblexd.errors import SourceUnavailableError
from ooblexd.redaction import redact
from ooblexd.sources import warden

if TYPE_CHECKING:
    from collections.abc import Callable

_PIPE_BYTES = 1 << 20  # the most that anybody may ask for
_TOLD_BYTES = 4096  # of standard error, the newest
_LONGEST_LINE = 160
_ENDS_WITHIN_S = 2.5  # a second of grace, and what the warden needs beside
_BY_SIGNAL = 128
_OURS = re.compile(
    "OOBLEXD_.*|NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|CREDENTIALS_DIRECTORY"
)
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COMPLAINT = re.compile(
    r"error|fail|cannot|can't|could not|unable|no such|not found|denied|refused|invalid"
    r"|busy|unrecogni[sz]ed|unknown|missing|timed? ?out",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"conversion failed!?|exiting.*|aborting.*|error initializing output stream.*",
    re.IGNORECASE,
)


class Program:
    """A running command.

    Its environment is the daemon's without what is meant for the daemon alone.

    Args:
        command: As in a shell's line, but without a shell: quotes count, ``|`` and
            ``$`` mean nothing.
        now_ns: The monotonic clock.
        input_fd: Of what it is to read on its standard input, which stays the caller's;
            None is nothing.

    Raises:
        SourceUnavailableError: There is no such command, or it may not be executed.
    """

    def __init__(
        self, command: str, now_ns: Callable[[], int], input_fd: int | None = None
    ) -> None:
        arguments = shlex.split(command)
        _check(arguments[0])
        self._now_ns = now_ns
        self._told = b""
        # Its own session: the supervisor kills the worker's process group as a whole,
        # and the warden must outlive it for long enough to kill the command's.
        given = [] if input_fd is None else [input_fd]
        options = [warden.INPUT + str(fd) for fd in given]
        self._process = subprocess.Popen(  # noqa: S603 # the owner's own file names it
            [sys.executable, "-I", "-S", str(warden.__file__), *options, *arguments],
            pass_fds=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment_of_others(),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._err = self._process.stdout, self._process.stderr
        for pipe in (self._out, self._err):
            os.set_blocking(pipe.fileno(), False)
        with contextlib.suppress(OSError):  # a limit of the system's
            fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._poll.register(self._err, select.POLLIN)

    def read(self, until_ns: int) -> bytes:
        """Return what has come on standard output; nothing if none did by ``until_ns``.

        Raises:
            SourceUnavailableError: The command has ended, or closed its output.
        """
        while True:
            left_ms = max(until_ns - self._now_ns(), 0) * 1000 / NS_PER_S
            ready = {fd for fd, _ in self._poll.poll(left_ms)}
            if self._err.fileno() in ready:
                self._listen()
            if self._out.fileno() in ready:
                data = os.read(self._out.fileno(), _PIPE_BYTES)
                if not data:
                    raise SourceUnavailableError(self._how_it_ended())
                return data
            if self._now_ns() >= until_ns:
                return b""

    def told(self) -> str:
        """Return what it last said on standard error, behind a colon; empty if nothing.

        Of the last lines the newest that complains is taken, else the newest.
        """
        line = last_words(self._told.decode(errors="replace"))
        return f": {line}" if line else ""

    def close(self) -> None:
        """End the command and all that it has started; a second call does nothing."""
        if self._out.closed:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._swallow(self._now_ns() + int(_ENDS_WITHIN_S * NS_PER_S))
        self._out.close()
        self._err.close()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _swallow(self, until_ns: int) -> None:
        """Read on: who writes into a closed pipe dies of it, and cleans nothing up."""
        open_fds = {self._out.fileno(), self._err.fileno()}
        while open_fds and (left_ns := until_ns - self._now_ns()) > 0:
            readable, _, _ = select.select(open_fds, [], [], left_ns / NS_PER_S)
            open_fds -= {fd for fd in readable if not os.read(fd, _PIPE_BYTES)}

    def _listen(self) -> None:
        said = os.read(self._err.fileno(), _PIPE_BYTES)
        if not said:
            self._poll.unregister(self._err)
        self._told = _newest(self._told + said)

    def _how_it_ended(self) -> str:
        """Say it once its output has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_WITHIN_S)
        with contextlib.suppress(BlockingIOError, KeyError):
            self._listen()
        return f"the command {_how(self._process.returncode)}{self.told()}"


def environment_of_others() -> dict[str, str]:
    """Return the environment without what is meant for the daemon alone."""
    return {k: v for k, v in os.environ.items() if not _OURS.fullmatch(k)}


def _newest(told: bytes) -> bytes:
    """Keep the end, from a blank on: half a URL would show the password within it."""
    if len(told) <= _TOLD_BYTES:
        return told
    cut = told[-_TOLD_BYTES:]
    blank = re.search(rb"\s", cut)
    return cut[blank.end() :] if blank else b""


def last_words(text: str) -> str:
    """Return the line of standard error that tells most, short and without secrets."""
    lines = [_COLOURS.sub("", line).strip() for line in re.split(r"[\r\n]+", text)]
    lines = [line for line in lines if line and not _SUMMARY.fullmatch(line)]
    complaints = [line for line in lines if _COMPLAINT.search(line)]
    line = (complaints or lines or [""])[-1]
    shown = "".join(letter if letter.isprintable() else "?" for letter in redact(line))
    if len(shown) > _LONGEST_LINE:
        return f"{shown[: _LONGEST_LINE - 1]}…"
    return shown


def _how(code: int | None) -> str:
    if code is None:
        return "closed its output"
    if code > _BY_SIGNAL:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(code - _BY_SIGNAL).name}"
    return f"ended (exit code {code})" if code else "ended"


def _check(name: str) -> None:
    """Find out what is wrong with a command, in words better than the system's."""
    if shutil.which(name) is not None:
        return
    if "/" in name and Path(name).is_dir():
        raise SourceUnavailableError(f"{name} is a folder, not a command")
    if shutil.which(name, os.F_OK) is None:
        raise SourceUnavailableError(f"there is no command {name}")
    raise SourceUnavailableError(f"{name} may not be executed")
