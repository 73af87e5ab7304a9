"""A throw-away child that reads the configuration, so that pydantic stays out of here.

The loop must come round while a file on a slow card, or on a drive that is gone, is
being read: the child tells its end by a descriptor, and is asked only then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from ooblexd.errors import CannotStartError, ConfigError
from ooblexd.plan import parse_daemon_plan
from ooblexd.supervisor.signals import be_a_child, held_back
from ooblexd.supervisor.worker import close_all_but

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.plan import DaemonPlan
    from ooblexd.supervisor.signals import SignalPipe

_WITHIN_S = 20
_FINE, _FAULTY = 0, 2


class Reading:
    """One reading of the configuration, in a child of its own.

    Args:
        parse: Called in the child: returns a `DaemonPlan` as JSON, or raises
            `ConfigError`.

    Attributes:
        fd: Readable as soon as `plan` does not wait any more.

    Raises:
        OSError: There are no more processes or descriptors.
    """

    def __init__(self, parse: Callable[[], str]) -> None:
        # Of memory: a plan holds credentials, which are nothing for a disk.
        self._answer = os.memfd_create("plan")
        parent = os.getpid()
        try:
            with held_back():
                self._pid = os.fork()
                if self._pid == 0:
                    _read(parse, self._answer, parent)
        except OSError:
            os.close(self._answer)
            raise
        self.fd = os.pidfd_open(self._pid)

    def plan(self) -> DaemonPlan:
        """Return what the child has read; waits for it, and is called once.

        Raises:
            ConfigError: The configuration cannot be used.
            CannotStartError: The child died; it has said why.
        """
        code, text = self._end()
        if code == _FINE:
            return parse_daemon_plan(text)
        if code == _FAULTY:
            raise ConfigError(text.split("\n"))
        raise CannotStartError("the configuration could not be read; see above")

    def abandon(self) -> None:
        """Do without it."""
        os.kill(self._pid, signal.SIGKILL)
        self._end()

    def _end(self) -> tuple[int, str]:
        _, status = os.waitpid(self._pid, 0)
        with open(self._answer, "rb") as file:  # noqa: PTH123 # a descriptor
            file.seek(0)
            text = file.read().decode("utf-8", "replace")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), text


def read_unless_stopped(
    begin: Callable[[], Reading], signals: SignalPipe
) -> DaemonPlan | None:
    """Return what the file says; None where a signal to stop came before it was read.

    Raises:
        ConfigError: The configuration cannot be used.
        CannotStartError: It could not be read.
    """
    while True:
        reading = begin()
        came = _signals_before_end(reading, signals)
        if not came:
            return reading.plan()
        reading.abandon()
        if signal.SIGTERM in came or signal.SIGINT in came:
            return None
        # By SIGHUP: the file may be newer than what was read of it.


def _signals_before_end(reading: Reading, signals: SignalPipe) -> set[int]:
    poll = select.poll()
    poll.register(reading.fd, select.POLLIN)
    poll.register(signals.fd, select.POLLIN)
    while True:
        ready = [fd for fd, _ in poll.poll()]
        came = {*signals.read()} - {signal.SIGCHLD}
        if came or reading.fd in ready:
            return came


def _read(parse: Callable[[], str], fd: int, parent: int) -> NoReturn:
    """Be the child, and leave by ``os._exit``: the parent's cleanup is not ours."""
    code = 1
    try:
        be_a_child(parent)
        close_all_but({0, 1, 2, fd})
        signal.alarm(_WITHIN_S)  # a file on a dead network drive, say
        try:
            text, code = parse(), _FINE
        except ConfigError as error:
            text, code = "\n".join(error.problems), _FAULTY
        os.write(fd, text.encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())  # nobody else would ever say why
        raise
    finally:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            sys.stderr.flush()
        os._exit(code)
