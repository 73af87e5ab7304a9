"""Writes changes back to the TOML file: comments kept, all of it or nothing.

A change is prepared as a whole new file beside the old one, on disk to the last byte,
and put in its place by one rename. Whatever dies in between, the old file or the new
one is there, never half of one. The file is read anew for each change, so what somebody
edited by hand meanwhile is kept; if it does not parse any more nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.items import AbstractTable, Array, InlineTable

from ooblexd.config.demo import DEMO_TEXT
from ooblexd.config.environment import read_overrides
from ooblexd.config.load import parse_config
from ooblexd.config.patch import table_of
from ooblexd.config.schema import StreamConfig
from ooblexd.effects.catalogue import EFFECTS
from ooblexd.errors import (
    ConfigError,
    ConfigFileError,
    OverriddenError,
    StreamExistsError,
    UnknownStreamError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomlkit import TOMLDocument

    from ooblexd.config.schema import Location

_NEW_MODE = 0o600  # sources hold credentials


class Prepared:
    """A new file that waits beside the old one.

    Args:
        waiting: The new file.
        path: What it is to replace.
    """

    def __init__(self, waiting: Path, path: Path) -> None:
        self._waiting = waiting
        self._path = path

    def commit(self) -> None:
        """Put the new file in place of the old one, for good.

        Raises:
            ConfigFileError: It cannot be; the old one stands.
        """
        try:
            self._waiting.replace(self._path)  # COMMIT 1
            _sync_folder(self._path.parent)  # COMMIT 2
        except OSError as exc:
            self.abandon()
            raise _cannot_write(self._path, exc) from exc

    def abandon(self) -> None:
        """Throw the new file away."""
        self._waiting.unlink(missing_ok=True)


class ConfigFile:
    """The file that changes are written to; it may not exist yet.

    Args:
        location: Where it is, or will be: then it begins with the demo.
        environ: What it sets is never written, and cannot be changed here.
    """

    def __init__(self, location: Location, environ: Mapping[str, str]) -> None:
        self._path = location.path
        self._environ = environ
        self._overrides = read_overrides(environ)[1]

    def prepare_add(self, name: str, stream: StreamConfig) -> Prepared:
        """Prepare the file with a new stream at its end.

        Raises:
            StreamExistsError: The file has one of that name.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        document = self._read()
        if name in _streams(document):
            raise StreamExistsError(name)
        self._set(document, name, stream)
        return self._write(document)

    def prepare_change(self, name: str, stream: StreamConfig) -> Prepared:
        """Prepare the file with ``stream`` as it is to be.

        Raises:
            UnknownStreamError: The file has none of that name.
            OverriddenError: The environment sets what is to be changed.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        document = self._read()
        if name not in _streams(document) and not self._is_overridden(name):
            raise UnknownStreamError(name)
        self._set(document, name, stream)
        return self._write(document)

    def prepare_removal(self, name: str) -> Prepared:
        """Prepare the file without a stream.

        Raises:
            UnknownStreamError: The file has none of that name.
            OverriddenError: The environment names it.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        document = self._read()
        for path, variable in self._overrides.items():
            if path[:2] == ("streams", name):
                raise OverriddenError(".".join(path), variable)
        if name not in _streams(document):
            raise UnknownStreamError(name)
        return self._write(_without(document, name))

    def _is_overridden(self, name: str) -> bool:
        return any(path[:2] == ("streams", name) for path in self._overrides)

    def _read(self) -> TOMLDocument:
        try:
            text = self._path.read_bytes().decode()
        except FileNotFoundError:
            text = DEMO_TEXT
        except OSError as exc:
            raise _cannot_write(self._path, exc) from exc
        except UnicodeDecodeError as exc:
            raise ConfigFileError(str(self._path), "it is not UTF-8 any more") from exc
        try:
            parse_config(text, self._environ, file=self._path.name)
        except ConfigError as exc:
            reason = f"has been edited and cannot be used: {exc.problems[0]}"
            raise ConfigFileError(str(self._path), reason) from exc
        return tomlkit.parse(text)

    def _set(self, document: TOMLDocument, name: str, stream: StreamConfig) -> None:
        """Write what differs into the stream's table, and nothing else."""
        if "streams" not in document:
            document.add("streams", tomlkit.table(is_super_table=True))
        streams = document["streams"]
        assert isinstance(streams, AbstractTable)
        if name not in streams:
            streams.add(name, tomlkit.table())
        table = streams[name]
        assert isinstance(table, AbstractTable)
        before = self._effective(document, name)
        for key, value in table_of(stream).items():
            if before is not None and before[key] == value:
                continue
            for path, variable in self._overrides.items():
                if path[:3] == ("streams", name, key):
                    raise OverriddenError(".".join(path), variable)
            if before is None and key != "source" and value == _default_of(key):
                continue
            table[key] = _effects_item(value) if key == "effects" else value

    def _effective(self, document: TOMLDocument, name: str) -> dict[str, Any] | None:
        """Return the stream as file and environment have it; None if it is new."""
        try:
            text = tomlkit.dumps(document)
            config = parse_config(text, self._environ, file=self._path.name)
        except ConfigError:
            return None  # its table has just been made and has no source yet
        found = config.streams.get(name)
        return table_of(found) if found else None

    def _write(self, document: TOMLDocument) -> Prepared:
        text = tomlkit.dumps(document)
        parse_config(text, self._environ, file=self._path.name)
        path = self._path.resolve()  # a link stays, and what it names is replaced
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return Prepared(_written_beside(path, text), path)
        except OSError as exc:
            raise _cannot_write(self._path, exc) from exc


def _written_beside(path: Path, text: str) -> Path:
    """Write ``text`` to a new file beside ``path``, owned and guarded as that one."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    waiting = Path(name)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123 # a descriptor, not a path
            file.write(text.encode())
            file.flush()
            os.fsync(fd)
            with contextlib.suppress(FileNotFoundError):
                former = path.stat()
                os.fchown(fd, former.st_uid, former.st_gid)
                os.fchmod(fd, former.st_mode & 0o7777)
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise
    return waiting


def _without(document: TOMLDocument, name: str) -> TOMLDocument:
    """Return the document without a stream, and without the comment above it.

    To tomlkit a comment belongs to the table before it: it would keep that of the
    stream that goes, and take the one of the next.
    """
    expected: dict[str, Any] = document.unwrap()
    del expected["streams"][name]
    shorter = tomlkit.parse(_cut(tomlkit.dumps(document), name))
    if shorter.unwrap().get("streams", {}) == expected["streams"]:
        return shorter
    streams = document["streams"]  # written otherwise than as [streams.NAME]
    assert isinstance(streams, AbstractTable)
    del streams[name]
    return document


def _cut(text: str, name: str) -> str:
    lines = text.splitlines(keepends=True)
    own = re.compile(rf"\s*\[\[?\s*streams\s*\.\s*[\"']?{name}[\"']?\s*[].]")
    heads = [n for n, line in enumerate(lines) if line.lstrip().startswith("[")]
    ours = [n for n in heads if own.match(lines[n])]
    if not ours:
        return text
    after = [n for n in heads if n > ours[-1]]
    start = _comment_above(lines, ours[0])
    end = _comment_above(lines, after[0]) if after else len(lines)
    return "".join(lines[:start] + lines[end:])


def _comment_above(lines: list[str], head: int) -> int:
    """Return where the comment that stands directly above a table begins."""
    start = head
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _streams(document: TOMLDocument) -> dict[str, Any]:
    streams: dict[str, Any] = document.unwrap().get("streams", {})
    return streams


def _default_of(key: str) -> Any:
    default = StreamConfig.model_fields[key].default
    return [] if key == "effects" else default


def _effects_item(effects: list[dict[str, Any]]) -> Array:
    """Return a chain as a person would write it: names where all is as usual."""
    array = tomlkit.array()
    for effect in effects:
        array.append(_effect_item(effect))
    return array.multiline(multiline=len(effects) > 1)


def _effect_item(effect: dict[str, Any]) -> str | InlineTable:
    kind = EFFECTS[effect["effect"]]
    usual = {
        "mode": kind.default_mode,
        "on_failure": kind.default_on_failure,
        **{name: parameter.default for name, parameter in kind.parameters.items()},
    }
    unusual = {
        key: value
        for key, value in effect.items()
        if key != "effect" and value != usual.get(key)
    }
    if not unusual:
        return str(effect["effect"])
    table = tomlkit.inline_table()
    table.update({"effect": effect["effect"], **unusual})
    return table


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _cannot_write(path: Path, error: OSError) -> ConfigFileError:
    reason = (error.strerror or "unknown reason").lower()
    return ConfigFileError(str(path), f"cannot be changed: {reason}")
