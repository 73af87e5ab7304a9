"""The one place that reads time.

Inside the daemon a point in time is an ``int``, ``CLOCK_MONOTONIC`` in nanoseconds:
the same clock in every process of the machine, untouched by NTP or by whoever sets the
date. Wall time is added once, where a human or a header reads it.
"""

from __future__ import annotations

import time

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000


def monotonic_ns() -> int:
    """Return ``CLOCK_MONOTONIC`` in nanoseconds."""
    return time.monotonic_ns()


def unix_us(at_ns: int) -> int:
    """Return the wall time, in unix microseconds, of the monotonic time ``at_ns``.

    The offset between the clocks is read anew at each call, so that a stepped wall
    clock is followed at once and nothing inside the daemon notices.
    """
    age_ns = time.monotonic_ns() - at_ns
    return (time.time_ns() - age_ns) // NS_PER_US
