"""The two clocks, and the way from one to the other."""

from __future__ import annotations

import time

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns, unix_us


def test_time_inside_the_daemon_is_the_clock_of_all_processes() -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    now = monotonic_ns()

    assert before <= now <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def test_now_is_now_on_the_wall() -> None:
    before_us = time.time_ns() // 1000

    wall_us = unix_us(monotonic_ns())

    assert before_us - 1000 <= wall_us <= time.time_ns() // 1000


def test_an_age_inside_the_daemon_is_the_same_age_on_the_wall() -> None:
    now_ns = monotonic_ns()

    age_us = unix_us(now_ns) - unix_us(now_ns - 5 * NS_PER_S)

    assert abs(age_us - 5_000_000) < 100 * NS_PER_MS / 1000
