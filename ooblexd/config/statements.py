"""Where each key stands in the text of a TOML file, in lines and characters.

tomlkit parses and renders; it does not say where a key was, and re-attaching comments
after an insertion or a removal is its weak side (a comment above ``[inference]``
belongs, for it, to the table before). So errors get their line, and `file` splices its
changes into the text, by this list: one statement for each ``[header]`` and each
``key = value``, in the order of the text.

The text must be valid TOML, or nearly so: `scan` looks for the joints of statements
only, never raises, and lists what it understood.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ooblexd.config.problems import KeyPath

_TOKEN = re.compile(
    r'''
      (?P<string> """(?:[^\\]|\\.)*?"""(?!")"{0,2} | \'\'\'.*?\'\'\'(?!\')
                | "(?:[^"\\\n]|\\.)*"              | '[^'\n]*' )
    | (?P<comment> \#[^\n]* )
    | (?P<newline> \n )
    | (?P<space> [ \t\r]+ )
    | (?P<mark> [\[\]{}=,.] )
    | (?P<word> [^\s\[\]{}=,.\#"']+ | . )
    ''',
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = "[{", "]}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A header or a key with its value.

    Attributes:
        path: Its keys from the root; a place in an array of tables is a number.
        start: Index of its first character.
        end: Index behind its last, before any comment on the same line.
        value_start: Index of its value's first character; ``end`` for a header.
        table: Path of the table that it is written in; a header's own.
        elements: Where each element of its array begins.
    """

    path: KeyPath
    start: int
    end: int
    value_start: int
    table: KeyPath = ()
    elements: tuple[int, ...] = ()

    @property
    def is_header(self) -> bool:
        """Whether it opens a table."""
        return self.value_start == self.end


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(slots=True)
class _Line:
    """The tokens of one statement, sorted as they come."""

    head: list[_Token] = field(default_factory=list)
    value: list[_Token] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    has_value: bool = False


def scan(text: str) -> list[Statement]:
    """Return the statements of ``text`` in its order."""
    statements: list[Statement] = []
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for line in _lines(text):
        keys = tuple(_key(t) for t in line.head if t.kind in {"word", "string"})
        if not line.has_value:
            table = _numbered(keys, counts, is_array=_is_array(line.head))
        path = (*table, *keys) if line.has_value else table
        last = (line.value or line.head)[-1]
        begin = line.value[0].start if line.value else last.end
        start = line.head[0].start if line.head else begin
        statements.append(
            Statement(path, start, last.end, begin, table, tuple(line.elements))
        )
    return statements


def line_of(text: str, statements: Sequence[Statement], path: KeyPath) -> int | None:
    """Return the line, from 1, of ``path``, or of what contains it or begins it."""
    best: Statement | None = None
    for statement in statements:
        depth = len(statement.path)
        if statement.path == path[:depth] and depth > (len(best.path) if best else 0):
            best = statement
    if best is None:
        best = next((s for s in statements if s.path[: len(path)] == path), None)
    if best is None:
        return None
    rest = path[len(best.path) :]
    index = int(rest[0]) if rest and rest[0].isdigit() else len(best.elements)
    start = best.elements[index] if index < len(best.elements) else best.start
    return text.count("\n", 0, start) + 1


def repeated(statements: Sequence[Statement]) -> Statement | None:
    """Return the first statement whose key was given before."""
    seen: set[KeyPath] = set()
    for statement in statements:
        if statement.path in seen:
            return statement
        seen.add(statement.path)
    return None


def _lines(text: str) -> Iterator[_Line]:
    line, depth = _Line(), 0
    for token in _tokens(text):
        if token.kind == "newline" and depth == 0:
            if line.head or line.value:
                yield line
            line = _Line()
        elif token.kind in {"newline", "space", "comment"}:
            continue
        elif not line.has_value:
            line.has_value = token.text == "="
            if not line.has_value:
                line.head.append(token)
        else:
            depth = _take(line, token, depth)
    if line.head or line.value:
        yield line


def _take(line: _Line, token: _Token, depth: int) -> int:
    """Add a token of the value; return the depth of brackets behind it."""
    is_mark = token.kind == "mark"
    closes = is_mark and token.text in _CLOSING
    if depth == 1 and line.value[0].text == "[" and not closes:
        last = line.value[-1]
        if last.kind == "mark" and (last.text == "," or last is line.value[0]):
            line.elements.append(token.start)
    line.value.append(token)
    if is_mark and token.text in _OPENING:
        return depth + 1
    return depth - 1 if closes else depth


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        assert match.lastgroup is not None
        yield _Token(match.lastgroup, match[0], match.start())


def _key(token: _Token) -> str:
    if token.kind == "word":
        return token.text
    if token.text.startswith("'"):
        return token.text[1:-1]
    try:
        return str(json.loads(token.text))
    except ValueError:  # an escape that only TOML knows: shown as it was written
        return token.text[1:-1]


def _is_array(head: Sequence[_Token]) -> bool:
    return [token.text for token in head[:2]] == ["[", "["]


def _numbered(keys: KeyPath, counts: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """Return a header's path with the number of each array of tables in it."""
    path: KeyPath = ()
    for index, key in enumerate(keys):
        path = (*path, key)
        is_last = index == len(keys) - 1
        if is_array and is_last:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, str(counts[path]))
    return path
