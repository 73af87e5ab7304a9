"""What the daemon does when it is started with a file that it cannot use.

A box that nobody looks at should neither be dead nor forget its cameras over a typing
mistake: the last good version of the file runs where there is one (`last_good`), else
nothing but the page and the API, where the file says that they are if that much of it
can be understood. Either way the mistake is told until it is mended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from ooblexd.config.environment import overlay, read_overrides
from ooblexd.config.last_good import last_good_path
from ooblexd.config.load import decode_text, load_location
from ooblexd.config.location import find_config_path
from ooblexd.config.plans import plan_of
from ooblexd.config.replacing import read_content
from ooblexd.config.schema import Config, Document, HttpConfig, Location
from ooblexd.config.statements import scan
from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ooblexd.plan import DaemonPlan


def last_good_plan(path: Path | None, environ: Mapping[str, str]) -> DaemonPlan:
    """Return what the last good version of the configuration file asks for.

    Args:
        path: What the command line names; None searches.
        environ: The environment variables, which hold over it as over the file.

    Raises:
        ConfigError: There is none, or it cannot be used either.
    """
    location = find_config_path(path, environ)
    kept = Location(last_good_path(location.path, environ))
    plan = plan_of(load_location(kept, environ))
    return replace(plan, config_path=str(location.path))


def safe_plan(path: Path | None, environ: Mapping[str, str]) -> DaemonPlan:
    """Return a plan without streams, reached where the file or environment says.

    Args:
        path: What the command line names; None searches.
        environ: The environment variables.
    """
    location = find_config_path(path, environ)
    http = _http_of(_text_of(location), environ)
    return plan_of(Config(Document(http=http), location))


def _text_of(location: Location) -> str:
    try:
        return decode_text(read_content(location.path) or b"", location)
    except (OSError, ConfigError):
        return ""


def _http_of(text: str, environ: Mapping[str, str]) -> HttpConfig:
    """Return ``[http]`` with each key of it that is good; the others' defaults."""
    found: dict[str, Any] = {}
    for statement in scan(text):
        if statement.path[:1] != ("http",) or statement.is_header:
            continue
        try:
            raw = text[statement.value_start : statement.end]
            value = tomlkit.parse(f"x = {raw}\n").unwrap()["x"]
        except TOMLKitError:
            continue
        keys = statement.path[1:]
        found = overlay(found, {keys[0]: value} if keys else value)
    found = overlay(found, read_overrides(environ)[0].get("http", {}))
    good = {}
    for key, value in found.items():
        try:
            good[key] = getattr(HttpConfig.model_validate({key: value}), key)
        except ValidationError:
            continue
    return HttpConfig(**good)
