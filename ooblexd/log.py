"""Log lines: for a terminal or for journald, and never with a credential in them."""

from __future__ import annotations

import logging
import os
import sys

from ooblexd.redaction import redact

_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class _Line(logging.Formatter):
    """One line an event; whatever the message holds, credentials are masked."""

    def __init__(self, *, worker: str, to_journald: bool) -> None:
        clock = "" if to_journald else "%(asctime)s "
        super().__init__(f"{clock}%(levelname)-7s [{worker}] %(message)s", "%H:%M:%S")
        self._to_journald = to_journald

    def format(self, record: logging.LogRecord) -> str:
        line = redact(super().format(record))
        if not self._to_journald:
            return line
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + part for part in line.splitlines())


def configure_logging(worker: str, level: str) -> None:
    """Send this process's log to standard error, in the name of ``worker``.

    Under systemd (``JOURNAL_STREAM``) each line carries its priority and no time.
    """
    handler = logging.StreamHandler(sys.stderr)
    to_journald = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(_Line(worker=worker, to_journald=to_journald))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
