"""Changes in the text of a TOML file that leave every other byte as it is.

tomlkit keeps comments, but takes one above ``[inference]`` for the end of the table
before it, so what it inserts or removes tears comments from what they explain. Here
the text is spliced at the places that `statements` finds, tomlkit only renders values,
and `edited` proves each result: parsed, it must hold exactly the values that were
meant, or nothing comes out.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ooblexd.config.statements import scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ooblexd.config.problems import KeyPath
    from ooblexd.config.statements import Statement

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t\r]*\n?")
_COMMENT = re.compile(r"[ \t]*#.*")
_LONGEST_LINE = 88


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be different.

    Attributes:
        values: New values of keys, plain, by their paths.
        removals: Tables that go, such as ``("streams", "door")``.
    """

    values: Mapping[KeyPath, Any] = field(default_factory=dict)
    removals: tuple[KeyPath, ...] = ()

    def applied_to(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a file with this edit."""
        result = deepcopy(values)
        for path in self.removals:
            del _table_at(result, path[:-1])[path[-1]]
        for path, value in self.values.items():
            _table_at(result, path[:-1])[path[-1]] = value
        return result


def edited(text: str, edit: Edit) -> str | None:
    """Return ``text`` with ``edit`` made, or None where that cannot be done safely."""
    before: dict[str, Any] = tomlkit.parse(text).unwrap()
    expected = edit.applied_to(before)
    after = text
    try:
        for path in edit.removals:
            after = _without(after, path)
        for path, value in edit.values.items():
            after = _with(after, path, value)
        found = tomlkit.parse(after).unwrap()
    except TOMLKitError:
        return None
    return after if _same(found, expected) else None


def _table_at(values: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    for key in path:
        values = values.setdefault(key, {})
    return values


def format_value(value: Any) -> str:
    """Return a plain value as TOML, a list with tables in it one element a line."""
    if isinstance(value, dict):
        pairs = (f"{format_key(k)} = {format_value(v)}" for k, v in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list):
        items = [format_value(item) for item in value]
        line = f"[{', '.join(items)}]"
        if len(line) < _LONGEST_LINE and not any(isinstance(i, dict) for i in value):
            return line
        return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(tomlkit.item(value).as_string())


def format_key(key: str) -> str:
    """Return a key as TOML, in quotes where it needs them."""
    return key if _BARE_KEY.fullmatch(key) else str(tomlkit.item(key).as_string())


def _with(text: str, path: KeyPath, value: Any) -> str:
    """Return ``text`` with one key set, whichever way its table is written."""
    statements = scan(text)
    for statement in statements:
        if statement.is_header:
            continue
        if statement.path == path:
            return _spliced(text, statement.value_start, statement.end, value)
        depth = len(statement.path)
        if statement.path == path[:depth]:
            return _with_inline(text, statement, path[depth:], value)
    text = _without_tables(text, path, statements)
    statements = scan(text)
    place = _last_of_table(statements, path[:-1])
    if place is not None:
        return _with_line(text, place, path, value)
    header = ".".join(format_key(key) for key in path[:-1])
    lines = f"[{header}]\n{format_key(path[-1])} = {format_value(value)}\n"
    return _appended(text, lines)


def _last_of_table(statements: list[Statement], table: KeyPath) -> Statement | None:
    """Return the statement behind which a key of ``table`` may stand."""
    place = None
    for statement in statements:
        owner = statement.path if statement.is_header else statement.path[:-1]
        if owner == table:
            place = statement
    return place


def _with_line(text: str, place: Statement, path: KeyPath, value: Any) -> str:
    keys = path[-1:] if place.is_header else path[len(place.table) :]
    line = f"{'.'.join(map(format_key, keys))} = {format_value(value)}"
    indent = text[text.rfind("\n", 0, place.start) + 1 : place.start]
    end = _end_of_line(text, place.end)
    newline = _newline_of(text)
    lead = "" if text[:end].endswith("\n") else newline
    line = line.replace("\n", newline)
    return f"{text[:end]}{lead}{indent}{line}{newline}{text[end:]}"


def _with_inline(text: str, statement: Statement, path: KeyPath, value: Any) -> str:
    table = inner = _value_of(text, statement)
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = value
    return _spliced(text, statement.value_start, statement.end, table)


def _without(text: str, path: KeyPath) -> str:
    """Return ``text`` without a table and without the comment that stands above it."""
    statements = scan(text)
    for statement in statements:
        if not statement.is_header and statement.path == path[:-1]:
            table = _value_of(text, statement)
            del table[path[-1]]
            return _spliced(text, statement.value_start, statement.end, table)
    return _without_tables(text, path, statements)


def _without_tables(text: str, path: KeyPath, statements: list[Statement]) -> str:
    """Return ``text`` without every statement at or below ``path``."""
    ours = [s for s in statements if s.path[: len(path)] == path]
    runs: list[tuple[int, int]] = []
    for number, statement in enumerate(statements):
        if statement not in ours:
            continue
        start = text.rfind("\n", 0, statement.start) + 1
        end = _end_of_line(text, statement.end)
        if statement.path == path or statement.is_header:
            start = _comment_above(text, start)
        if runs and number and statements[number - 1] in ours:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    for start, end in reversed(runs):
        text = text[:start] + text[_own_rest(text, end) :]
    return text


def _comment_above(text: str, start: int) -> int:
    """Return where the comment directly above the line at ``start`` begins.

    One that begins the file stays: it is the file's.
    """
    begin = start
    while begin > 0:
        above = text.rfind("\n", 0, begin - 1) + 1
        if not _COMMENT.match(text, above, begin):
            return begin
        begin = above
    return start


def _own_rest(text: str, end: int) -> int:
    """Return where the comments directly below a table, and one blank line, end.

    Comments that reach down to the next statement without a blank line are that one's.
    """
    rest = end
    while rest < len(text) and _COMMENT.match(text, rest):
        rest = _end_of_line(text, rest)
    blank = _BLANK.match(text, rest)
    assert blank is not None
    is_blank = blank.end() > rest or rest == len(text)
    return blank.end() if is_blank else end


def _value_of(text: str, statement: Statement) -> dict[str, Any]:
    raw = text[statement.value_start : statement.end]
    table: dict[str, Any] = tomlkit.parse(f"x = {raw}\n").unwrap()["x"]
    return table


def _spliced(text: str, start: int, end: int, value: Any) -> str:
    rendered = format_value(value).replace("\n", _newline_of(text))
    return text[:start] + rendered + text[end:]


def _appended(text: str, lines: str) -> str:
    newline = _newline_of(text)
    if text and not text.endswith("\n"):
        text += newline
    gap = newline if text.strip() else ""
    return text + gap + lines.replace("\n", newline)


def _end_of_line(text: str, start: int) -> int:
    return text.find("\n", start) + 1 or len(text)


def _newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text[: _end_of_line(text, 0)] else "\n"


def _same(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Compare, where an absent table of streams is an empty one."""
    return {"streams": {}, **found} == {"streams": {}, **expected}
