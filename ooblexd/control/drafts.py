"""The configuration as it is, and a change as it would be, its file waiting beside it.

This is the part of control that needs the configuration's models. They take half a
second to load on a desktop and more on a small box, so `changes` imports this module
in a thread while control already serves. Everything here blocks.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ooblexd.config.diff import plans_between
from ooblexd.config.file import ConfigFile
from ooblexd.config.patch import (
    api_may_push,
    api_may_set_source,
    document_table,
    merge_patch,
    parse_stream,
    patch_document,
    public_document,
)
from ooblexd.config.plans import plan_of, plan_of_stream
from ooblexd.config.problems import format_path
from ooblexd.config.push import urls_of
from ooblexd.config.schema import Config, Location
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

    from ooblexd.config.file import Found, Prepared
    from ooblexd.config.schema import StreamConfig
    from ooblexd.control.configuration import Configuration
    from ooblexd.plan import DaemonPlan, StreamPlan

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
        plans: What each stream that it changes is to do, as JSON; empty where it goes.
        prepared: The file as it will be.
        daemon: What the daemon is to be, as JSON, once all runs as the file says; empty
            for a change of one stream.
    """

    plans: dict[str, str]
    prepared: Prepared
    daemon: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether all is as it wants it already."""
        return not self.plans and self.prepared.former == self.prepared.after

    def sync(self) -> None:
        """Return once the file, which is in its place, survives a loss of power.

        Raises:
            ProblemError: The disk refuses.
        """
        with _as_problems():
            self.prepared.sync()


class ConfigView(NamedTuple):
    """The configuration as a client may see it.

    Attributes:
        found: What the file says, the environment over it.
        wanted: The same as a plan.
    """

    found: Found
    wanted: DaemonPlan

    def public(self) -> dict[str, Any]:
        """Return every key, secrets masked."""
        return public_document(self.found.config.document)

    def secret(self) -> dict[str, Any]:
        """Return every key with its secrets."""
        return document_table(self.found.config.document)

    def environment(self) -> dict[str, str]:
        """Return each key that the environment sets, and by which variable."""
        overrides = self.found.config.overrides
        return {format_path(path): name for path, name in overrides.items()}


class Drafts:
    """Makes drafts.

    Args:
        configuration: Where the file is; where there is none, the demo's is created.
    """

    def __init__(self, configuration: Configuration) -> None:
        plan = configuration.plan
        location = Location(configuration.path, is_demo=plan.is_demo)
        self._configuration = configuration
        self._file = ConfigFile(location, os.environ)

    def read(self) -> ConfigView:
        """Return the configuration.

        Raises:
            ProblemError: The file cannot be used; each problem with its place.
        """
        with _as_problems():
            return self._view(self._file.read())

    def config_patch(
        self, view: ConfigView, streams: tuple[StreamPlan, ...], patch: dict[str, Any]
    ) -> Draft:
        """Draft a merge patch (RFC 7396) of the whole configuration.

        Args:
            view: What it begins from.
            streams: As they run.
            patch: From JSON.

        Raises:
            ProblemError: What it makes is not valid, or cannot be written.
        """
        with _as_problems():
            config = view.found.config
            document = patch_document(config.document, patch)
            prepared = self._file.prepare(view.found, document)
        location = replace(config.location, digest=prepared.after)
        wanted = plan_of(Config(document, location, config.overrides))
        running = replace(self._configuration.plan, streams=streams)
        daemon = format_plan(replace(wanted, streams=()))
        return Draft(plans_between(running, wanted), prepared, daemon)

    def _view(self, found: Found) -> ConfigView:
        return ConfigView(found, plan_of(found.config))

    def addition(self, name: str, table: dict[str, Any]) -> Draft:
        """Draft a new stream.

        Raises:
            ProblemError: It is not valid, or cannot be written.
        """
        with _as_problems(name):
            if isinstance(table.get("source"), str):
                api_may_set_source(table["source"])
            api_may_push(urls_of(table.get("push")))
            stream = parse_stream(name, table)
            prepared = self._file.prepare_add(name, stream)
        return Draft({name: _plan_of(name, stream)}, prepared)

    def patch(self, plan: StreamPlan, patch: dict[str, Any]) -> Draft:
        """Draft a merge patch (RFC 7396) of a running stream.

        Raises:
            ProblemError: What it makes is not valid, or cannot be written.
        """
        with _as_problems(plan.name):
            current = parse_stream(plan.name, stream_table(plan))
            stream = merge_patch(plan.name, current, patch)
            prepared = self._file.prepare_change(plan.name, stream, current)
        return Draft({plan.name: _plan_of(plan.name, stream)}, prepared)

    def removal(self, name: str) -> Draft:
        """Draft the end of a stream.

        Raises:
            ProblemError: The file cannot be written.
        """
        with _as_problems(name):
            return Draft({name: ""}, self._file.prepare_removal(name))


def _plan_of(name: str, stream: StreamConfig) -> str:
    return format_plan(plan_of_stream(name, stream))


@contextmanager
def _as_problems(name: str = "") -> Iterator[None]:
    """Turn what is wrong with a configuration into the answer of the API.

    Args:
        name: Of the stream that the request is about; empty for the whole.
    """
    try:
        yield
    except ConfigError as exc:
        status = next((_STATUS[k] for k in _STATUS if isinstance(exc, k)), 422)
        errors = [_error_of(problem, name) for problem in exc.problems]
        if isinstance(exc, ConfigFileError) and exc.causes:
            errors = [_placed(cause) for cause in exc.causes]
        raise ProblemError(status, "; ".join(exc.problems), errors=errors) from exc
    except RecursionError as exc:
        raise ProblemError(422, "the body is nested too deeply") from exc


def _error_of(problem: str, name: str) -> dict[str, str]:
    """Split ``streams.door.effects[0].mode: …`` into a key of the body and words."""
    key, _, words = problem.partition(": ")
    if not name:
        return {"key": key if words else "", "detail": words or problem}
    if key == f"streams.{name}" or not words:
        return {"key": "name", "detail": words or problem}
    return {"key": key.removeprefix(f"streams.{name}."), "detail": words}


def _placed(problem: str) -> dict[str, str]:
    """Split ``FILE:LINE: KEY: words`` into the parts of an ``errors`` member."""
    place, _, rest = problem.partition(": ")
    key, _, words = rest.partition(": ")
    told = {"key": key, "detail": words} if words else {"key": "", "detail": rest}
    return {**told, "place": place}
