"""How long a worker waits for its next life, and when it dies too often.

Pure: times and chance come in as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from ooblexd.clock import NS_PER_S

FIRST_S = 0.25
LONGEST_S = 1.0  # with its jitter
_SPREAD = 0.25
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

    The pause doubles from 0.25 s to 0.8 s with the deaths of the last 30 s, and is
    spread by up to a quarter, so that workers killed by one cause do not return in
    step. After the eighth death within 30 s the worker is given up for half a minute,
    and then its deaths begin to count anew.

    Args:
        deaths_ns: Earlier deaths that still counted, oldest first.
        now_ns: Monotonic time of this one.
        jitter: 0..1, from the caller's source of chance.
    """
    recent = tuple(at for at in deaths_ns if now_ns - at <= WITHIN_S * NS_PER_S)
    deaths = (*recent, now_ns)[-MAX_DEATHS:]
    spread = 1 + _SPREAD * jitter
    if len(deaths) >= MAX_DEATHS:
        return Restart(GIVEN_UP_S * spread, True, deaths)
    pause_s = min(FIRST_S * 2 ** (len(deaths) - 1), LONGEST_S / (1 + _SPREAD))
    return Restart(pause_s * spread, False, deaths)
