"""A change as it would be: checked, and the new file waiting beside the old one.

This is the part of control that needs the configuration's models. They take half a
second to load on a desktop and more on a small box, so `changes` imports this module
in a thread while control already serves. Everything here blocks.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ooblexd.config.file import ConfigFile
from ooblexd.config.patch import api_may_set_source, merge_patch, parse_stream
from ooblexd.config.plans import plan_of_stream
from ooblexd.config.schema import Location
from ooblexd.control.problems import ProblemError
from ooblexd.control.represent import stream_table
from ooblexd.errors import (
    ConfigError,
    ConfigFileError,
    OverriddenError,
    SourceForbiddenError,
    StreamExistsError,
    UnknownStreamError,
)
from ooblexd.plan import format_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ooblexd.config.file import Prepared
    from ooblexd.config.schema import StreamConfig
    from ooblexd.plan import StreamPlan

_STATUS = {
    SourceForbiddenError: 403,
    UnknownStreamError: 404,
    StreamExistsError: 409,
    OverriddenError: 409,
    ConfigFileError: 503,
}


class Draft(NamedTuple):
    """A change that only waits for the supervisor.

    Attributes:
        stream: Whose.
        plan: As JSON; empty where the stream goes.
        prepared: The file as it will be.
    """

    stream: str
    plan: str
    prepared: Prepared

    def commit(self) -> None:
        """Put the file in its place.

        Raises:
            ProblemError: It cannot be written.
        """
        with _as_problems(self.stream):
            self.prepared.commit()


class Drafts:
    """Makes drafts.

    Args:
        config_path: The file; where there is none, the demo's is created.
    """

    def __init__(self, config_path: Path) -> None:
        location = Location(config_path, is_demo=not config_path.exists())
        self._file = ConfigFile(location, os.environ)

    def addition(self, name: str, table: dict[str, Any]) -> Draft:
        """Draft a new stream.

        Raises:
            ProblemError: It is not valid, or cannot be written.
        """
        with _as_problems(name):
            if isinstance(table.get("source"), str):
                api_may_set_source(table["source"])
            stream = parse_stream(name, table)
            prepared = self._file.prepare_add(name, stream)
        return Draft(name, _plan_of(name, stream), prepared)

    def patch(self, plan: StreamPlan, patch: dict[str, Any]) -> Draft:
        """Draft a merge patch (RFC 7396) of a running stream.

        Raises:
            ProblemError: What it makes is not valid, or cannot be written.
        """
        with _as_problems(plan.name):
            current = parse_stream(plan.name, stream_table(plan))
            stream = merge_patch(plan.name, current, patch)
            prepared = self._file.prepare_change(plan.name, stream)
        return Draft(plan.name, _plan_of(plan.name, stream), prepared)

    def removal(self, name: str) -> Draft:
        """Draft the end of a stream.

        Raises:
            ProblemError: The file cannot be written.
        """
        with _as_problems(name):
            return Draft(name, "", self._file.prepare_removal(name))


def _plan_of(name: str, stream: StreamConfig) -> str:
    return format_plan(plan_of_stream(name, stream))


@contextmanager
def _as_problems(name: str) -> Iterator[None]:
    """Turn what is wrong with a configuration into the answer of the API."""
    try:
        yield
    except ConfigError as exc:
        status = next((_STATUS[k] for k in _STATUS if isinstance(exc, k)), 422)
        errors = [_error_of(problem, name) for problem in exc.problems]
        raise ProblemError(status, "; ".join(exc.problems), errors=errors) from exc


def _error_of(problem: str, name: str) -> dict[str, str]:
    """Split ``streams.door.effects[0].mode: …`` into a key of the body and words."""
    key, _, words = problem.partition(": ")
    if key == f"streams.{name}" or not words:
        return {"key": "name", "detail": words or problem}
    return {"key": key.removeprefix(f"streams.{name}."), "detail": words}
