"""A change by API: checked, written, applied, one at a time, all of it or nothing.

The file's new text is prepared beside it first, then the supervisor is asked to apply
the plan, and only what it has done is put in place of the file. So a full disk is found
before anything changes, and a full shared memory leaves the file as it was.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ooblexd.config.patch import api_may_set_source, merge_patch, parse_stream
from ooblexd.config.plans import plan_of_stream
from ooblexd.control.problems import ProblemError
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
    from collections.abc import Callable, Iterator

    from ooblexd.config.file import ConfigFile, Prepared
    from ooblexd.config.schema import StreamConfig
    from ooblexd.control.link import Link
    from ooblexd.plan import StreamPlan

_STATUS = {
    SourceForbiddenError: 403,
    UnknownStreamError: 404,
    StreamExistsError: 409,
    OverriddenError: 409,
    ConfigFileError: 503,
}


def config_of(plan: StreamPlan) -> StreamConfig:
    """Return a running stream as the configuration would say it."""
    table = {
        "source": plan.source,
        "enabled": plan.enabled,
        "transport": plan.transport,
        "max_fps": plan.max_fps,
        "max_age_ms": plan.max_age_ms,
        "jpeg_quality": plan.jpeg_quality,
        "effects": [
            {
                "effect": effect.effect,
                "mode": effect.mode,
                "on_failure": effect.on_failure,
                **effect.parameters,
            }
            for effect in plan.effects
        ],
    }
    return parse_stream(plan.name, table)


class Changes:
    """Makes changes, one at a time.

    Args:
        file: That changes are written to.
        link: The way to the supervisor.

    Attributes:
        lock: Held for a change, from looking at what is to its end.
        salt: Of this process, for tags that nobody should guess a secret from.
    """

    def __init__(self, file: ConfigFile, link: Link) -> None:
        self._file = file
        self._link = link
        self.lock = asyncio.Lock()
        self.salt = secrets.token_hex(16)

    async def add(self, name: str, table: dict[str, Any]) -> None:
        """Add a stream.

        Raises:
            ProblemError: It is not so, and nothing has changed.
        """
        with _as_problems(name):
            if isinstance(table.get("source"), str):
                api_may_set_source(table["source"])
            stream = parse_stream(name, table)
        async with self.lock:
            draft = partial(self._file.prepare_add, name, stream)
            await self._make(name, stream, draft)

    async def patch(self, plan: StreamPlan, patch: dict[str, Any]) -> None:
        """Change a stream by a merge patch; the caller holds the lock.

        Raises:
            ProblemError: It is not so, and nothing has changed.
        """
        with _as_problems(plan.name):
            running = config_of(plan)
            stream = merge_patch(plan.name, running, patch)
        draft = partial(self._file.prepare_change, plan.name, stream, running)
        await self._make(plan.name, stream, draft)

    async def remove(self, name: str) -> None:
        """Remove a stream; the caller holds the lock.

        Raises:
            ProblemError: It is not so, and nothing has changed.
        """
        await self._make(name, None, partial(self._file.prepare_removal, name))

    async def _make(
        self, name: str, stream: StreamConfig | None, draft: Callable[[], Prepared]
    ) -> None:
        plan = "" if stream is None else format_plan(plan_of_stream(name, stream))
        with _as_problems(name):
            prepared = await asyncio.to_thread(draft)
        try:
            await self._link.apply(name, plan)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(prepared.abandon))
            raise
        with _as_problems(name):
            await asyncio.shield(asyncio.to_thread(prepared.commit))


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
