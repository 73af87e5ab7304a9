"""Settings in the environment: ``OOBLEXD_HTTP__PORT=8801`` over ``[http] port``.

Lists and tables are written as JSON. A variable without ``__`` that names no section
is somebody else's (``OOBLEXD_CONFIG`` says where the file lies); one with ``__`` can
only be meant for us, so an unknown section is an error like any other unknown key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from ooblexd.config.schema import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

    from ooblexd.config.problems import KeyPath

PREFIX = "OOBLEXD_"
DELIMITER = "__"


class _Overrides(Document, BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, case_sensitive=False
    )


class _MappingSource(EnvSettingsSource):
    """Reads a mapping where its parent reads ``os.environ``."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {key.lower(): value for key, value in environ.items()}
        super().__init__(_Overrides)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ

    def decode_complex_value(
        self, field_name: str, field: FieldInfo, value: Any
    ) -> Any:
        """Return ``value`` from JSON, or as it is: the schema then complains."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except json.JSONDecodeError:
            return value


def read_overrides(
    environ: Mapping[str, str],
) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Return what the environment sets: as nested tables, and by which variable.

    Only leaves are in the second; a list is one leaf.
    """
    settings = [key for key in environ if _is_setting(key)]
    # The more precise variable comes last and stands, whatever order they came in.
    settings.sort(key=lambda key: (key.count(DELIMITER), key))
    ours = {key: environ[key] for key in settings}
    values: dict[str, Any] = _MappingSource(ours)()
    origins: dict[KeyPath, str] = {}
    for variable, path in _paths(ours):
        if path[0] not in Document.model_fields:
            values[path[0]] = ours[variable]
            origins[path[:1]] = variable
        origins.update((leaf, variable) for leaf in _leaves(values, path))
    return values, origins


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` with each leaf of ``above`` in its place."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            result[key] = overlay(under, value)
        else:
            result[key] = value
    return result


def _is_setting(variable: str) -> bool:
    name = variable.upper()
    section = name.removeprefix(PREFIX)
    is_section = section.lower() in Document.model_fields
    return name.startswith(PREFIX) and (DELIMITER in section or is_section)


def _paths(variables: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for variable in variables:
        name = variable.lower().removeprefix(PREFIX.lower())
        yield variable, tuple(name.split(DELIMITER))


def _leaves(values: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return
        values = values[key]
    yield from _leaves_below(values, path)


def _leaves_below(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(value, dict):
        yield path
        return
    for key, below in value.items():
        yield from _leaves_below(below, (*path, key))
