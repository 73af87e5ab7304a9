"""When to try a source again: soon, for ever, and with respect for locked accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.errors import SourceRefusedError

if TYPE_CHECKING:
    from ooblexd.errors import SourceError

_FIRST_S, _LONGEST_S = 0.25, 0.8
_JITTER_SHARE = 0.2  # the longest pause with the most jitter stays below 1 s
_REFUSED_S = (
    30.0  # many cameras lock an account after five wrong logins in a few minutes
)


def retry_delay_s(error: SourceError, attempt: int, jitter: float) -> float:
    """Return how long to wait before the source is opened again.

    Args:
        error: Why it failed.
        attempt: How often it has failed in a row, from 1.
        jitter: 0..1, at random, so that the cameras behind one switch that comes back
            are not all asked at once.

    Returns:
        Seconds: 0.25 to 0.96 and at most 1, or 30 to 36 after a refused login.
    """
    spread = 1 + _JITTER_SHARE * jitter
    if isinstance(error, SourceRefusedError):
        return _REFUSED_S * spread
    return min(_FIRST_S * 2.0 ** min(attempt - 1, 8), _LONGEST_S) * spread
