"""Writes changes back to the TOML file: comments kept, all of it or nothing.

A change is prepared as a whole new file beside the old one, on disk to the last byte,
and put in its place by one rename. Whatever dies in between, the old file or the new
one is there, never half of one. The file is read anew for each change, so what somebody
edited by hand meanwhile is kept; if it does not parse any more nothing is written.

A change says what differs from how the daemon runs the stream, not how the whole stream
is to be: keys that were edited by hand and not loaded yet keep their new values.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ooblexd.config.demo import DEMO_TEXT
from ooblexd.config.edit import Edit, edited
from ooblexd.config.effects import written_effect
from ooblexd.config.environment import read_overrides
from ooblexd.config.load import decode_text, parse_config
from ooblexd.config.patch import table_of
from ooblexd.errors import (
    ConfigError,
    ConfigFileError,
    OverriddenError,
    StreamExistsError,
    UnknownStreamError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ooblexd.config.schema import Config, Location, StreamConfig

_NEW_MODE = 0o600  # sources hold credentials


class Prepared:
    """A new file that waits beside the old one.

    Args:
        waiting: The new file.
        path: What it is to replace.
        former: What ``path`` held when the change was made; None if it did not exist.
    """

    def __init__(self, waiting: Path, path: Path, former: bytes | None) -> None:
        self._waiting = waiting
        self._path = path
        self._former = former

    def commit(self) -> None:
        """Put the new file in place of the old one, for good.

        Raises:
            ConfigFileError: It cannot be, or the old one was edited since; it stands.
        """
        try:
            if _content(self._path) != self._former:
                reason = "was edited at the same moment; try again"
                raise ConfigFileError(str(self._path), reason)
            self._waiting.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as exc:
            raise _cannot_write(self._path, exc) from exc
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Throw the new file away; once it is committed, do nothing."""
        self._waiting.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a change begins from; ``content`` is None without a file."""

    content: bytes | None
    text: str
    config: Config


class ConfigFile:
    """The file that changes are written to, one change at a time.

    Args:
        location: Where it is, or will be for the demo: then it begins with that.
        environ: What it sets is never written, and cannot be changed here.
    """

    def __init__(self, location: Location, environ: Mapping[str, str]) -> None:
        self._location = location
        self._environ = environ
        self._overrides = read_overrides(environ)[1]

    def prepare_add(self, name: str, stream: StreamConfig) -> Prepared:
        """Prepare the file with a new stream, of the keys that were given, at its end.

        Raises:
            StreamExistsError: There is one of that name.
            OverriddenError: The environment sets one of its keys to something else.
            ConfigError: The configuration would be none, such as by too many streams.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        found = self._read()
        if name in found.config.streams:
            raise StreamExistsError(name)
        keys = {"source"} | stream.model_fields_set
        return self._write(found, Edit(name, self._values(name, stream, keys)))

    def prepare_change(
        self, name: str, stream: StreamConfig, before: StreamConfig | None = None
    ) -> Prepared:
        """Prepare the file with what differs between ``before`` and ``stream``.

        Args:
            name: Of the stream.
            stream: As it is to be.
            before: As the daemon runs it; None takes it as the file has it.

        Raises:
            UnknownStreamError: There is none of that name.
            OverriddenError: The environment sets what is to be changed.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        found = self._read()
        if name not in found.config.streams:
            raise UnknownStreamError(name)
        old, new = table_of(before or found.config.streams[name]), table_of(stream)
        keys = [key for key in new if new[key] != old[key]]
        values = self._values(name, stream, keys)
        return self._write(found, Edit(name, values))

    def prepare_removal(self, name: str) -> Prepared:
        """Prepare the file without a stream.

        Raises:
            UnknownStreamError: There is none of that name.
            OverriddenError: The environment names it.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        found = self._read()
        for path, variable in self._overrides.items():
            if path[:2] == ("streams", name):
                raise OverriddenError(".".join(path), variable)
        if name not in found.config.streams:
            raise UnknownStreamError(name)
        return self._write(found, Edit(name, is_removal=True))

    def _read(self) -> _Found:
        """Return what the file says; what the demo says where there is none."""
        path = self._location.path
        try:
            content = _content(path)
        except OSError as exc:
            raise _cannot_write(path, exc) from exc
        if content is None and not self._location.is_demo:
            raise ConfigFileError(str(path), "is gone; put it back first")
        try:
            text = DEMO_TEXT
            if content is not None:
                text = decode_text(content, self._location)
            config = parse_config(text, self._environ, file=str(path))
        except ConfigError as exc:
            problem = exc.problems[0].removeprefix(str(path)).lstrip(": ")
            reason = f"has been edited and cannot be used: {problem}"
            raise ConfigFileError(str(path), reason) from exc
        return _Found(content, text, config)

    def _values(
        self, name: str, stream: StreamConfig, keys: Collection[str]
    ) -> dict[str, Any]:
        """Return what the file is to say of ``keys``; nothing that a variable says."""
        values: dict[str, Any] = {}
        table = table_of(stream)
        for key in type(stream).model_fields:
            if key not in keys:
                continue
            path = ("streams", name, key)
            for leaf, variable in self._overrides.items():
                if leaf[:3] == path:
                    raise OverriddenError(".".join(leaf), variable)
            values[key] = table[key]
        if "effects" in values:
            values["effects"] = [written_effect(effect) for effect in stream.effects]
        return values

    def _write(self, found: _Found, edit: Edit) -> Prepared:
        path = self._location.path.resolve()  # a link stays, what it names is replaced
        after = edited(found.text, edit)
        if after is None:
            reason = "is written in a way that only its owner can change; edit it"
            raise ConfigFileError(str(path), reason)
        parse_config(after, self._environ, file=path.name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting = _written_beside(path, after.encode())
        except OSError as exc:
            raise _cannot_write(path, exc) from exc
        return Prepared(waiting, path, found.content)


def _written_beside(path: Path, content: bytes) -> Path:
    """Write ``content`` to a new file beside ``path``, owned and guarded as that one.

    Its name is always the same, so that what a killed daemon left is swept away here.
    """
    waiting = path.with_name(f".{path.name}.new")
    waiting.unlink(missing_ok=True)
    fd = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NEW_MODE)
    try:
        with open(fd, "wb", buffering=0) as file:  # noqa: PTH123 # a descriptor
            _guard_like(path, fd)
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(fd)
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise
    return waiting


def _guard_like(path: Path, fd: int) -> None:
    try:
        former = path.stat()
    except FileNotFoundError:
        return
    # Without the right to give a file away it becomes ours, which serves as well.
    with contextlib.suppress(PermissionError):
        os.fchown(fd, former.st_uid, former.st_gid)
    os.fchmod(fd, former.st_mode & 0o7777)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _cannot_write(path: Path, error: OSError) -> ConfigFileError:
    reason = (error.strerror or "unknown reason").lower()
    return ConfigFileError(str(path), f"cannot be changed: {reason}")
