"""Log lines: one an event, for people or for machines, and never with a credential.

Where standard error is a terminal a line is for eyes; anywhere else it is one object of
JSON, unless ``[log] format`` says which. Under systemd each line begins with its
priority (sd-daemon(3)), so that ``journalctl -p warning`` works; that standard error is
the journal is believed only if ``JOURNAL_STREAM`` names its device and inode
(systemd.exec(5)), since a pipe to another program inherits the variable too.

A message about a stream begins with ``[stream %s]``: the formatter takes the name from
the arguments, and JSON has it as a key of its own. What a caller passes as ``extra``
becomes keys as well.

The standard library's logging, with a formatter of our own: everything that a library
of ours says comes through it anyway, and what structlog or python-json-logger would add
is what is here, less the masking.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

from ooblexd.redaction import redact

if TYPE_CHECKING:
    from types import TracebackType

FORMATS = ("auto", "text", "json")
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
_STREAM = "[stream %s] "
# What each record has; all else was given as ``extra``.
_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
# The least that libraries may tell, unless we debug; and then it is their INFO, since
# their DEBUG is a line for each packet. Who sends uvicorn nonsense gets a WARNING each.
_LIBRARIES = {
    "aioice": logging.WARNING,
    "aiortc": logging.WARNING,
    "asyncio": logging.WARNING,
    "libav": logging.WARNING,
    "uvicorn": logging.ERROR,
}

logger = logging.getLogger(__name__)


class TextLine(logging.Formatter):
    """A line for people; a traceback follows on lines of its own, but not in a journal.

    Args:
        worker: In whose name.
        clock: Format of the local time; empty leaves it out.
        one_line: Whether a traceback must stay in the line.
    """

    def __init__(self, worker: str, *, clock: str, one_line: bool) -> None:
        super().__init__(datefmt=clock)
        self._worker = worker
        self._one_line = one_line

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        clock = f"{self.formatTime(record, self.datefmt)} " if self.datefmt else ""
        message = _printable(redact(record.getMessage()))
        trace = _trace_of(self, record)
        if self._one_line:
            tail = f" | {_printable(trace)}" if trace else ""
        else:
            tail = f"\n{trace}" if trace else ""
        return f"{clock}{record.levelname:7} [{self._worker}] {message}{tail}"


class JsonLine(logging.Formatter):
    """A line for machines: time (RFC 3339, UTC), level, worker, stream and message.

    Args:
        worker: In whose name.
    """

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        stream, message = _split(record)
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        event: dict[str, object] = {
            "time": f"{second}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "worker": self._worker,
        }
        if stream is not None:
            event["stream"] = stream
        event["message"] = redact(message)
        if record.name.startswith("ooblexd"):
            given = vars(record).items()
            event |= {key: _plain(value) for key, value in given if key not in _OWN}
        if trace := _trace_of(self, record):
            event["exception"] = trace
        return json.dumps(event, ensure_ascii=False)


class _WithPriority(logging.Formatter):
    """Another formatter's line, its priority before it."""

    def __init__(self, line: logging.Formatter) -> None:
        super().__init__()
        self._line = line

    def format(self, record: logging.LogRecord) -> str:
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{self._line.format(record)}"


def configure_logging(worker: str, level: str, form: str = "auto") -> None:
    """Send this process's log to standard error, in the name of ``worker``.

    Args:
        worker: The process, such as ``ingest:door``.
        level: One of `LEVELS`: the least that is told.
        form: One of `FORMATS`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_for(sys.stderr, worker, form))
    logging.basicConfig(handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    set_level(LEVELS[level])


def line_for(target: TextIO, worker: str, form: str) -> logging.Formatter:
    """Return the formatter that suits ``target``, one of `FORMATS` being wished for."""
    is_journal = is_journal_stream(target, os.environ.get("JOURNAL_STREAM", ""))
    line: logging.Formatter
    if not is_for_people(target, form):
        line = JsonLine(worker)
    else:
        clock = "%H:%M:%S" if target.isatty() else "%Y-%m-%dT%H:%M:%S%z"
        line = TextLine(worker, clock="" if is_journal else clock, one_line=is_journal)
    return _WithPriority(line) if is_journal else line


def is_for_people(target: TextIO, form: str) -> bool:
    """Say whether lines to ``target`` are text, one of `FORMATS` being wished for."""
    return form == "text" or (form == "auto" and target.isatty())


def is_journal_stream(target: TextIO, journal_stream: str) -> bool:
    """Say whether ``target`` is the stream that ``JOURNAL_STREAM`` describes."""
    try:
        found = os.fstat(target.fileno())
    except (OSError, ValueError):
        return False
    return journal_stream == f"{found.st_dev}:{found.st_ino}"


def set_level(level: int) -> None:
    """Tell no less than ``level`` from now on; nothing happens where that is so."""
    root = logging.getLogger()
    if root.level == level:
        return
    root.setLevel(level)
    for name, least in _LIBRARIES.items():
        its_level = logging.INFO if level <= logging.DEBUG else max(level, least)
        logging.getLogger(name).setLevel(its_level)


def _split(record: logging.LogRecord) -> tuple[str | None, str]:
    """Return the stream that a message is about, and the message without it."""
    message = record.getMessage()
    args = record.args
    if not (isinstance(args, tuple) and args and str(record.msg).startswith(_STREAM)):
        return None, message
    stream = str(args[0])
    return stream, message[len(_STREAM % stream) :]


def _trace_of(line: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append(line.formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    return redact("\n".join(parts))


def _printable(text: str) -> str:
    """Return ``text`` without what forges another line or steers a terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redact(str(value))


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger.critical("this is a bug", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
