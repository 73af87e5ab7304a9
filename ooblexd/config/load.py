"""Reads the configuration: the only code that opens its file or sees the environment.

The file's values, the environment's over them, checked together; every problem of both
is told at once, each with the line or the variable it comes from.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from pydantic import ValidationError
from tomlkit import exceptions as toml

from ooblexd.config.demo import DEMO_TEXT
from ooblexd.config.environment import overlay, read_overrides
from ooblexd.config.location import find_config_path
from ooblexd.config.problems import KeyPath, Problem, problems_of
from ooblexd.config.replacing import digest_of, read_content
from ooblexd.config.schema import Config, Document, Location
from ooblexd.config.statements import line_of, repeated, scan
from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_FILE_BYTES = 1024 * 1024
"""A configuration above it is some other file."""

_SYNTAX: dict[type[Exception], str] = {
    toml.InvalidNumberError: "this is no number",
    toml.InvalidDateError: "this is no date",
    toml.InvalidTimeError: "this is no time",
    toml.InvalidDateTimeError: "this is no date and time",
    toml.InvalidNumberOrDateError: "neither a number nor text in quotes",
    toml.InvalidUnicodeValueError: "an escape that is no character",
    toml.InvalidCharInStringError: "an unknown escape: write \\\\ for a backslash",
    toml.InvalidControlChar: "the closing quote is missing, or a control character",
    toml.UnexpectedEofError: "the file ends in the middle of a value",
    toml.EmptyKeyError: "a key is missing",
    toml.EmptyTableNameError: "a table without a name",
}


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the configuration of the file ``path``, else of the first that is found.

    Args:
        path: What the command line names; None searches, see `find_config_path`.
        environ: The environment variables.

    Raises:
        ConfigError: It cannot be read or used; every problem is listed.
    """
    return load_location(find_config_path(path, environ), environ)


def load_location(location: Location, environ: Mapping[str, str]) -> Config:
    """Return the configuration that lies at ``location``.

    Raises:
        ConfigError: It cannot be read or used; every problem is listed.
    """
    content = _read(location)
    text = DEMO_TEXT if content is None else decode_text(content, location)
    return _parse(text, environ, replace(location, digest=digest_of(content)))


def parse_config(
    text: str, environ: Mapping[str, str], *, file: str = "ooblexd.toml"
) -> Config:
    """Return the configuration that ``text`` describes, ``environ`` over it.

    Raises:
        ConfigError: It cannot be used; every problem is listed and names ``file``.
    """
    return _parse(text, environ, Location(Path(file)))


def check_config(
    path: Path | None, environ: Mapping[str, str] | None = None
) -> list[str]:
    """Return every problem of a configuration, one line each; none if it is good."""
    try:
        load_config(path, os.environ if environ is None else environ)
    except ConfigError as error:
        return list(error.problems)
    return []


def _read(location: Location) -> bytes | None:
    try:
        content = read_content(location.path)
    except OSError as exc:
        reason = exc.strerror or "unknown reason"
        message = f"{location.path}: cannot be read: {reason.lower()}"
        raise ConfigError([message]) from exc
    if content is None and not location.is_demo:
        message = "there is no such file; begin with one of config/examples"
        raise ConfigError([f"{location.path}: {message}"])
    return content


def decode_text(content: bytes, location: Location) -> str:
    """Return the text of a file's bytes, without a byte order mark.

    Raises:
        ConfigError: It is too large, or not UTF-8.
    """
    if len(content) > MAX_FILE_BYTES:
        size = f"{len(content)} bytes, at most {MAX_FILE_BYTES}"
        raise ConfigError([f"{location.path}: {size}"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ConfigError([f"{location.path}:{line}: is not UTF-8"]) from exc


def parse_text(text: str, file: str) -> dict[str, Any]:
    """Return the plain values of a TOML text.

    Raises:
        ConfigError: It is not TOML; the message has line and column.
    """
    try:
        values: dict[str, Any] = tomlkit.parse(text).unwrap()
    except toml.TOMLKitError as exc:
        raise ConfigError([_syntax_problem(exc, text, file)]) from exc
    return values


@dataclass(frozen=True, slots=True)
class _Origins:
    """Tells where a value came from."""

    text: str
    file: str
    overrides: Mapping[KeyPath, str]

    def tell_all(self, problems: Sequence[Problem]) -> list[str]:
        """Return a line a problem, in the order of the file, the environment last."""
        statements = scan(self.text)
        told: list[tuple[float, str]] = []
        for problem in problems:
            line = line_of(self.text, statements, problem.path)
            if (variable := self._variable(problem.path)) is not None:
                told.append((math.inf, f"environment {variable}: {problem}"))
            elif line is None:
                told.append((0, f"{self.file}: {problem}"))
            else:
                told.append((line, f"{self.file}:{line}: {problem}"))
        return [text for _, text in sorted(told, key=itemgetter(0))]

    def _variable(self, path: KeyPath) -> str | None:
        prefixes = (path[:length] for length in range(len(path), 0, -1))
        return next((self.overrides[p] for p in prefixes if p in self.overrides), None)


def _parse(text: str, environ: Mapping[str, str], location: Location) -> Config:
    file = str(location.path)
    values = parse_text(text, file)
    settings, overrides = read_overrides(environ)
    try:
        document = Document.model_validate(overlay(values, settings))
    except ValidationError as exc:
        origins = _Origins(text, file, overrides)
        problems = origins.tell_all(problems_of(exc))
        raise ConfigError(problems) from None  # the chain would show values
    return Config(document, location, overrides)


def _syntax_problem(error: toml.TOMLKitError, text: str, file: str) -> str:
    again = repeated(scan(text))
    if again is not None:
        line = text.count("\n", 0, again.start) + 1
        return f"{file}:{line}: {Problem(again.path, 'is there twice')}"
    if not isinstance(error, toml.ParseError):
        return f"{file}: no valid TOML"
    place = f"{file}:{error.line}:{error.col + 1}"
    if isinstance(error, toml.UnexpectedCharError):
        return f"{place}: {_unexpected(text, error)}"
    return f"{place}: {_SYNTAX.get(type(error), 'no valid TOML')}"


def _unexpected(text: str, error: toml.ParseError) -> str:
    line = text.split("\n")[error.line - 1]
    found = line[error.col : error.col + 1].strip()
    if not found or error.col == 0:
        return "a value or a closing bracket is missing"
    if found.isalpha():
        return "text must stand in quotes"
    return f"{found!r} cannot stand here"
