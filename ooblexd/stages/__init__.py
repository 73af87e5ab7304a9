"""The three loops that join source, rings, effects and encoders.

`ingest` (source -> raw ring), `inference` (raw ring -> effects -> processed ring) and
`output` (processed ring -> encoders -> encoded ring) each run in a worker of their own,
inside the loop of `stages.worker`. What they decide is in modules of its own: `chain`
(what an effect's failure means) and `showing` (what a viewer may see) are pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.commands import Message

__all__ = ["Stage"]


class Stage(Protocol):
    """The code of a worker's loop. It must never block for long in these methods."""

    def obey(self, message: Message, fds: list[int]) -> None:
        """Do what the supervisor says; the descriptors are the stage's from here."""

    def wake_fds(self) -> Iterable[int]:
        """Return the descriptors that end the pause when they become readable."""

    def step(self) -> float:
        """Do all there is to do, and return for how many seconds to pause at most."""

    def close(self) -> None:
        """Release everything."""
