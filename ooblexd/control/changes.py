"""A change by API: checked, written, applied, one at a time, all of it or nothing.

The file's new text is prepared beside it first; then the supervisor is asked to apply
the plans, and puts the file in its place in the same turn. So a full disk is found
before anything changes, a full shared memory leaves the file as it was, and control may
die at any moment: what runs is what the file says.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any

from ooblexd.config.replacing import sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.control.configuration import Configuration
    from ooblexd.control.drafts import ConfigView, Draft, Drafts
    from ooblexd.control.link import Link
    from ooblexd.plan import StreamPlan

logger = logging.getLogger(__name__)


class Changes:
    """Makes changes, one at a time.

    Args:
        configuration: What runs, and where its file is.
        link: The way to the supervisor.

    Attributes:
        lock: Held by the caller for a change, from looking at what is to its end.
        link: As given.
        salt: Of this process, for tags that nobody should guess a secret from.
    """

    def __init__(self, configuration: Configuration, link: Link) -> None:
        self._configuration = configuration
        self.link = link
        self._drafts: Drafts | None = None
        self.lock = asyncio.Lock()
        self.salt = secrets.token_hex(16)

    def load(self) -> Drafts:
        """Load what changes need; blocks, the first time for long."""
        if self._drafts is None:
            from ooblexd.control.drafts import Drafts  # noqa: PLC0415 # see its docstring

            self._drafts = Drafts(self._configuration)
        return self._drafts

    async def sweep(self) -> None:
        """Remove the new version of the file that a killed daemon has left."""
        async with self.lock:  # else it might be one that is being made
            if await asyncio.to_thread(sweep, self._configuration.path):
                logger.info("removed a change that was never made")

    async def read(self) -> ConfigView:
        """Return what the configuration file says, the environment over it.

        Raises:
            ProblemError: It cannot be used, and why.
        """
        return await asyncio.to_thread(lambda: self.load().read())

    async def patch_config(
        self, view: ConfigView, streams: tuple[StreamPlan, ...], patch: dict[str, Any]
    ) -> None:
        """Change the whole configuration by a merge patch.

        Args:
            view: What it is to begin from.
            streams: As they run.
            patch: From JSON.

        Raises:
            ProblemError: It is not so, and nothing has changed.
        """
        await self._make(lambda: self.load().config_patch(view, streams, patch))

    async def add(self, name: str, table: dict[str, Any]) -> None:
        """Add a stream.

        Raises:
            ProblemError: It is not so, and nothing has changed.
        """
        await self._make(lambda: self.load().addition(name, table))

    async def patch(self, plan: StreamPlan, patch: dict[str, Any]) -> None:
        """Change a stream by a merge patch.

        Raises:
            ProblemError: It is not so, and nothing has changed.
        """
        await self._make(lambda: self.load().patch(plan, patch))

    async def remove(self, name: str) -> None:
        """Remove a stream.

        Raises:
            ProblemError: It is not so, and nothing has changed.
        """
        await self._make(lambda: self.load().removal(name))

    async def _make(self, make_draft: Callable[[], Draft]) -> None:
        assert self.lock.locked()
        draft = await asyncio.to_thread(make_draft)
        try:
            if not draft.is_nothing:
                await self.link.apply(draft)
        finally:
            await asyncio.to_thread(draft.prepared.abandon)
        await asyncio.to_thread(draft.sync)
