"""How long a worker waits for its next life, and when it dies too often.

Pure: times and chance come in as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from ooblexd.clock import NS_PER_S

FIRST_S = 0.25
LONGEST_S = 1.0
MAX_DEATHS = 8
WITHIN_S = 30.0
GIVEN_UP_S = 30.0  # an appliance never stops trying; it only tries less often


@dataclass(frozen=True, slots=True)
class Restart:
    """What follows a death.

    Attributes:
        delay_s: Pause before the next life.
        is_exhausted: The worker dies too often, and ``/health`` has to say so.
        deaths_ns: The deaths that still count.
    """

    delay_s: float
    is_exhausted: bool
    deaths_ns: tuple[int, ...]


def next_life(deaths_ns: tuple[int, ...], now_ns: int, jitter: float) -> Restart:
    """Decide what follows a death at ``now_ns``.

    The pause doubles from 0.25 s to 1 s with the deaths of the last 30 s, and is spread
    by up to a quarter, so that workers killed by one cause do not return in step. After
    the eighth death within 30 s the worker is given up: it is tried each 30 s.

    Args:
        deaths_ns: Earlier deaths that still counted, oldest first.
        now_ns: Monotonic time of this one.
        jitter: 0..1, from the caller's source of chance.
    """
    recent = tuple(at for at in deaths_ns if now_ns - at <= WITHIN_S * NS_PER_S)
    deaths = (*recent, now_ns)[-MAX_DEATHS:]
    if len(deaths) >= MAX_DEATHS:
        return Restart(GIVEN_UP_S * (1 + jitter / 4), True, deaths)
    pause_s = min(FIRST_S * 2 ** (len(deaths) - 1), LONGEST_S)
    return Restart(min(pause_s * (1 + jitter / 4), LONGEST_S), False, deaths)
