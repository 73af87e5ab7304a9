"""Writes changes back to the TOML file: comments kept, all of it or nothing.

A change is prepared as a whole new file beside the old one, on disk to the last byte,
and put in its place by one rename. Whatever dies in between, the old file or the new
one is there, never half of one. The file is read anew for each change, so what somebody
edited by hand meanwhile is kept; if it does not parse any more nothing is written.

A change says what differs from how the daemon runs the stream, not how the whole stream
is to be: keys that were edited by hand and not loaded yet keep their new values.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ooblexd.config.demo import DEMO_TEXT
from ooblexd.config.edit import Edit, edited
from ooblexd.config.effects import written_effect
from ooblexd.config.environment import read_overrides
from ooblexd.config.load import decode_text, parse_config
from ooblexd.config.push import written_push
from ooblexd.config.replacing import (
    cannot_write,
    digest_of,
    private_mode,
    read_content,
    sync_folder,
    write_beside,
)
from ooblexd.errors import (
    ConfigError,
    ConfigFileError,
    OverriddenError,
    StreamExistsError,
    UnknownStreamError,
)
from ooblexd.pushes.url import mask_push
from ooblexd.redaction import has_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ooblexd.config.problems import KeyPath
    from ooblexd.config.schema import (
        Config,
        Document,
        Location,
        Section,
        StreamConfig,
    )

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A new file that waits beside the old one, for `replacing.put_in_place`.

    Attributes:
        waiting: The new file.
        path: What it is to replace, no link.
        former: Digest of what ``path`` held when the change was made.
        after: Digest of the new file.
        was_open: Others could read the old file, and the new one holds passwords.
    """

    waiting: Path
    path: Path
    former: str
    after: str
    was_open: bool = False

    def sync(self) -> None:
        """Return once the new file, put in place, survives a loss of power.

        Raises:
            ConfigFileError: The disk refuses; the new file is in place all the same.
        """
        try:
            sync_folder(self.path.parent)
        except OSError as exc:
            raise cannot_write(self.path, exc) from exc
        if self.was_open and self.former != self.after:
            logger.warning(
                "others could read the passwords in %s: its mode is %04o now",
                self.path,
                _mode_of(self.path),
            )

    def abandon(self) -> None:
        """Throw the new file away; once it is in place, do nothing."""
        self.waiting.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Found:
    """What a change begins from.

    Attributes:
        content: Of the file; None without one.
        text: Of it, or the demo's.
        config: What it says, the environment over it.
    """

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
        found = self.read()
        if name in found.config.streams:
            raise StreamExistsError(name)
        keys = {"source"} | stream.model_fields_set
        return self._write(found, Edit(self._values(("streams", name), stream, keys)))

    def prepare_change(
        self, name: str, stream: StreamConfig, before: StreamConfig
    ) -> Prepared:
        """Prepare the file with what differs between ``before`` and ``stream``.

        Args:
            name: Of the stream.
            stream: As it is to be.
            before: As the daemon runs it.

        Raises:
            UnknownStreamError: There is none of that name.
            OverriddenError: The environment sets what is to be changed.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        found = self.read()
        if name not in found.config.streams:
            raise UnknownStreamError(name)
        keys = _differing(before, stream)
        return self._write(found, Edit(self._values(("streams", name), stream, keys)))

    def prepare_removal(self, name: str) -> Prepared:
        """Prepare the file without a stream.

        Raises:
            UnknownStreamError: There is none of that name.
            OverriddenError: The environment names it.
            ConfigFileError: The file cannot be read or written; it is as it was.
        """
        found = self.read()
        self._check_removal(name)
        if name not in found.config.streams:
            raise UnknownStreamError(name)
        return self._write(found, Edit(removals=(("streams", name),)))

    def prepare(self, found: Found, document: Document) -> Prepared:
        """Prepare the file with all that differs between ``found`` and ``document``.

        Raises:
            OverriddenError: The environment sets what is to be changed.
            ConfigFileError: The file cannot be written; it is as it was.
        """
        before = found.config.document
        values: dict[KeyPath, Any] = {}
        for section in type(document).model_fields:
            if section != "streams":
                old, new = getattr(before, section), getattr(document, section)
                values |= self._values((section,), new, _differing(old, new))
        for name, stream in document.streams.items():
            known = before.streams.get(name)
            keys = _differing(known, stream) if known else stream.model_fields_set
            values |= self._values(("streams", name), stream, keys)
        gone = [name for name in before.streams if name not in document.streams]
        for name in gone:
            self._check_removal(name)
        edit = Edit(values, tuple(("streams", name) for name in gone))
        return self._write(found, edit, document)

    def read(self) -> Found:
        """Return what the file says; what the demo says where there is none.

        Raises:
            ConfigFileError: It cannot be read or used.
        """
        path = self._location.path
        try:
            content = read_content(path)
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        if content is None and not self._location.is_demo:
            raise ConfigFileError(str(path), "is gone; put it back first")
        try:
            text = DEMO_TEXT
            if content is not None:
                text = decode_text(content, self._location)
            config = parse_config(text, self._environ, file=str(path))
        except ConfigError as exc:
            problem = exc.problems[0].removeprefix(f"{path}:").strip()
            problem = f"line {problem}" if problem[:1].isdigit() else problem
            reason = f"has been edited and cannot be used: {problem}"
            raise ConfigFileError(str(path), reason, exc.problems) from exc
        return Found(content, text, config)

    def _check_removal(self, name: str) -> None:
        for path, variable in self._overrides.items():
            if path[:2] == ("streams", name):
                raise OverriddenError(".".join(path), variable)

    def _values(
        self, table: KeyPath, section: Section, keys: Collection[str]
    ) -> dict[KeyPath, Any]:
        """Return what the file is to say of ``keys``; nothing that a variable says."""
        values: dict[KeyPath, Any] = {}
        for key, value in section.model_dump(mode="json", include=set(keys)).items():
            path = (*table, key)
            for set_path, variable in self._overrides.items():
                if set_path[: len(path)] == path:
                    raise OverriddenError(".".join(set_path), variable)
            effects = getattr(section, key) if key == "effects" else ()
            values[path] = [written_effect(effect) for effect in effects] or value
            if key == "push":
                values[path] = [written_push(push) for push in getattr(section, key)]
        return values

    def _write(
        self, found: Found, edit: Edit, expected: Document | None = None
    ) -> Prepared:
        path = self._location.path.resolve()  # a link stays, what it names is replaced
        after = edited(found.text, edit)
        if after is None:
            raise _only_by_hand(path)
        config = parse_config(after, self._environ, file=path.name)
        if expected is not None and config.document != expected:
            raise _only_by_hand(path)
        content = after.encode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            allowed_mode = _mode_for(path, config)
            former_mode = _mode_of(path)
            waiting = write_beside(path, content, allowed_mode)
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        former, is_open = digest_of(found.content), bool(former_mode & ~allowed_mode)
        return Prepared(waiting, path, former, digest_of(content), is_open)


def _mode_for(path: Path, config: Config) -> int:
    holds_secrets = any(
        has_secrets(stream.source, stream.publish_key)
        or any(mask_push(push.url) != push.url for push in stream.push)
        for stream in config.streams.values()
    )
    return private_mode(path) if holds_secrets else 0o7777


def _mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777 if path.exists() else 0


def _differing(old: Section, new: Section) -> list[str]:
    names = type(new).model_fields
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _only_by_hand(path: Path) -> ConfigFileError:
    reason = "is written in a way that only its owner can change; edit it"
    return ConfigFileError(str(path), reason)
