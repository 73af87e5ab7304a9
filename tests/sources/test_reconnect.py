"""A source is tried again for ever, and never so often that it hurts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.errors import SourceRefusedError, SourceUnavailableError
from ooblexd.sources.reconnect import retry_delay_s

ATTEMPTS = st.integers(1, 10**9)
JITTERS = st.floats(0, 1)


@given(ATTEMPTS, JITTERS)
def test_source_that_may_come_back_is_tried_within_a_second(
    attempt: int, jitter: float
) -> None:
    delay_s = retry_delay_s(SourceUnavailableError("gone"), attempt, jitter)

    assert 0.25 <= delay_s <= 1


@given(ATTEMPTS, JITTERS)
def test_refused_login_is_not_repeated_for_half_a_minute(
    attempt: int, jitter: float
) -> None:
    delay_s = retry_delay_s(SourceRefusedError("login refused"), attempt, jitter)

    assert 30 <= delay_s <= 36


def test_pauses_grow_while_a_source_stays_away() -> None:
    gone = SourceUnavailableError("gone")

    delays_s = [retry_delay_s(gone, attempt, 0.0) for attempt in (1, 2, 3, 4)]

    assert delays_s == [0.25, 0.5, 0.8, 0.8]
