"""When a push is tried again: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S
from ooblexd.counters import PushState
from ooblexd.errors import PushRefusedError

if TYPE_CHECKING:
    from ooblexd.errors import PushError

WORKED_NS = 30 * NS_PER_S
"""What has run for so long has worked: the next pause is the first again."""

_FIRST_S, _LONGEST_S = 1.0, 30.0
_JITTER_SHARE = 0.2
_IN_VAIN = 5  # times in a row


def retry_delay_s(error: PushError, attempt: int, jitter: float) -> float:
    """Return how long to wait before it is connected to again.

    Args:
        error: Why it does not get through.
        attempt: How often it has failed in a row, from 1.
        jitter: 0..1, at random, so that the streams of a platform that comes back do
            not all ask at once.

    Returns:
        Seconds, 1 to 30: 1, 2, 4 … 25, or 25 at once after a refusal, and up to a fifth
        more.
    """
    spread = 1 + _JITTER_SHARE * jitter
    longest_s = _LONGEST_S / (1 + _JITTER_SHARE)
    if isinstance(error, PushRefusedError):
        return longest_s * spread
    return min(_FIRST_S * 2.0 ** min(attempt - 1, 8), longest_s) * spread


def state_after(error: PushError, attempt: int) -> PushState:
    """Return what a push is that has failed ``attempt`` times in a row."""
    is_hopeless = isinstance(error, PushRefusedError) or attempt >= _IN_VAIN
    return PushState.FAILED if is_hopeless else PushState.WAITING
