"""What an overlay may be told to write, and what becomes of it at a time: pure.

The text has three fields and nothing else of Python's format language, which would
reach into objects. The time's format has the directives whose result is short and the
same on every system: a C library also knows flags and widths, with which one directive
makes gigabytes.
"""

from __future__ import annotations

import string
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = ("time", "name", "fps")
DIRECTIVES = "aAbBdeFfHIjmMpSTyYzZ%"
LONGEST_TEXT = 200
LONGEST_FORMAT = 64
MOST_LINES = 4


def check_text(text: str) -> str:
    """Return ``text`` if it can be written.

    Raises:
        ValueError: A field is unknown, a brace stands alone, or there are characters
            that nothing can draw.
    """
    _check_printable(text.replace("\n", " "))
    if text.count("\n") >= MOST_LINES:
        raise ValueError(f"{text.count(chr(10)) + 1} lines, at most {MOST_LINES}")
    allowed = ", ".join(f"{{{field}}}" for field in FIELDS)
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError:
        raise ValueError(
            f"a brace stands alone, allowed are {allowed}, {{{{ and }}}}"
        ) from None
    for _, field, form, conversion in parsed:
        if field is not None and (field not in FIELDS or form or conversion):
            rest = "!…" if conversion else ":…" if form else ""
            found = f"{{{field}{rest}}}"
            raise ValueError(f"{found}: no such field, allowed are {allowed}")
    return text


def check_time_format(form: str) -> str:
    """Return ``form`` if it can be written.

    Raises:
        ValueError: It has a directive that is not among `DIRECTIVES`.
    """
    _check_printable(form)
    rest = form
    while "%" in rest:
        _, _, rest = rest.partition("%")
        directive, rest = rest[:1], rest[1:]
        if not directive or directive not in DIRECTIVES:
            allowed = " ".join(f"%{one}" for one in DIRECTIVES)
            raise ValueError(f"%{directive}: not allowed; there are {allowed}")
    return form


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with its fields replaced by ``values``."""
    parts = string.Formatter().parse(text)
    return "".join(
        literal + values.get(field or "", "") for literal, field, *_ in parts
    )


def format_time(unix_us: int, form: str, zone: str) -> str:
    """Return the wall time ``unix_us``, in microseconds, ``local`` or ``utc``."""
    at = datetime.fromtimestamp(unix_us // 1_000_000, timezone.utc)
    at = at.replace(microsecond=unix_us % 1_000_000)
    return (at if zone == "utc" else at.astimezone()).strftime(form)


def _check_printable(text: str) -> None:
    strange = [one for one in text if not one.isprintable()]
    if strange:
        raise ValueError(f"{strange[0]!a} cannot be drawn")
