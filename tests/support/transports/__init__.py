"""Ways of a picture from one process to another, each at its best settings.

All of them pay for the same work: the sender copies from private memory, the receiver
copies the newest picture that there is into private memory. ``bench_handoff.py``
measures them, and proves before that they deliver whole pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from typing_extensions import Self

Picture: TypeAlias = NDArray[np.uint8]


class Transport(Protocol):
    """Made before its two processes are forked; as a context it lasts for both."""

    def __enter__(self) -> Self:
        """Start what both ends need.

        Raises:
            PeerMissingError: This machine has not got it.
        """

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind; both processes have ended."""

    def sender(self) -> AbstractContextManager[Callable[[Picture], None]]:
        """Open the sending end: a call copies a picture and sends the copy."""

    def receiver(self) -> AbstractContextManager[Callable[[Picture], None]]:
        """Open the other end: a call waits for a picture and fills its argument."""
