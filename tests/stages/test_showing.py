from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.frame import Verdict
from ooblexd.stages.showing import Cause, Showing, Situation, choose

START_NS = 1000 * NS_PER_S
HOLD_NS = NS_PER_S


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    ages = st.integers(0, 20 * NS_PER_S) | st.integers(0, 2 * NS_PER_S)
    revisions = st.integers(0, 3)
    verdict = draw(st.sampled_from([Verdict.LIVE, Verdict.HELD, Verdict.COVERED, None]))
    arrived_ns = START_NS - draw(ages) if verdict else 0
    has_lived = draw(st.booleans()) or verdict is Verdict.LIVE
    return Situation(
        now_ns=START_NS,
        verdict=verdict,
        capture_ns=arrived_ns - draw(ages) if verdict else 0,
        arrived_ns=arrived_ns,
        revision=draw(revisions) if verdict else 0,
        live_until_ns=START_NS - draw(ages) if has_lived else 0,
        live_revision=draw(revisions) if has_lived else 0,
        required_revision=draw(revisions),
        max_age_ns=draw(st.integers(100 * NS_PER_MS, 5 * NS_PER_S)),
        interval_ns=draw(st.just(0) | st.integers(0, 4 * NS_PER_S)),
        is_source_down=draw(st.booleans()),
    )


@given(situations())
def test_only_a_fresh_picture_of_the_required_revision_is_live(at: Situation) -> None:
    if choose(at).verdict is Verdict.LIVE:
        assert at.verdict is Verdict.LIVE
        assert at.revision >= at.required_revision
        bound_ns = max(at.max_age_ns, 300 * NS_PER_MS, 5 * at.interval_ns // 2)
        assert at.now_ns - at.capture_ns <= bound_ns


@given(situations())
def test_only_a_recent_picture_of_the_required_revision_is_held(at: Situation) -> None:
    if choose(at).verdict is Verdict.HELD:
        assert at.live_until_ns > 0
        assert at.live_revision >= at.required_revision
        bound_ns = max(HOLD_NS, 5 * at.interval_ns // 2)
        assert at.now_ns - at.live_until_ns < bound_ns


@given(situations())
def test_a_slate_is_shown_only_while_the_source_is_down(at: Situation) -> None:
    if choose(at).verdict is Verdict.SLATE:
        assert at.is_source_down


@given(situations())
def test_a_frame_that_its_chain_covers_is_never_held(at: Situation) -> None:
    at = replace(at, verdict=Verdict.COVERED, arrived_ns=at.now_ns, revision=9)

    assert choose(at).verdict is Verdict.COVERED


@given(situations())
def test_what_is_not_live_says_why(at: Situation) -> None:
    showing = choose(at)

    assert (showing.cause is Cause.NONE) == (showing.verdict is Verdict.LIVE)
    assert (showing.cause is Cause.SOURCE) >= (showing.verdict is Verdict.SLATE)


@given(situations())
def test_output_may_always_sleep(at: Situation) -> None:
    assert choose(at).due_ns > at.now_ns


@given(situations())
def test_what_shows_the_scene_stays_until_it_is_due(at: Situation) -> None:
    showing = choose(at)

    just_before = choose(replace(at, now_ns=showing.due_ns - 1))

    if showing.verdict in {Verdict.LIVE, Verdict.HELD}:
        assert just_before.verdict is showing.verdict


@given(situations())
def test_without_frames_a_picture_only_gets_worse(at: Situation) -> None:
    seen = [moment.verdict for moment in timeline(at, 12)]

    assert seen == sorted(seen)


# Scenarios.


def timeline(at: Situation, for_s: float) -> list[Showing]:
    """Return what is shown while nothing but time goes on."""
    shown, end_ns = [choose(at)], at.now_ns + for_s * NS_PER_S
    while shown[-1].due_ns <= end_ns:
        shown.append(choose(replace(at, now_ns=shown[-1].due_ns)))
    return shown


def healthy(interval_ms: int = 33) -> Situation:
    arrived_ns = START_NS - NS_PER_MS
    return Situation(
        now_ns=START_NS,
        verdict=Verdict.LIVE,
        capture_ns=arrived_ns - 40 * NS_PER_MS,
        arrived_ns=arrived_ns,
        revision=1,
        live_until_ns=arrived_ns,
        live_revision=1,
        required_revision=1,
        max_age_ns=NS_PER_S,
        interval_ns=interval_ms * NS_PER_MS,
        is_source_down=False,
    )


def verdicts(shown: list[Showing]) -> list[Verdict]:
    return [verdict for verdict, _ in groupby(moment.verdict for moment in shown)]


def test_dead_inference_is_held_for_a_second_and_then_covered() -> None:
    at = healthy()

    shown = timeline(at, 5)

    assert verdicts(shown) == [Verdict.LIVE, Verdict.HELD, Verdict.COVERED]
    held = next(moment for moment in shown if moment.verdict is Verdict.HELD)
    assert held.due_ns == at.live_until_ns + HOLD_NS


def test_a_dead_source_is_held_and_then_gives_its_reason() -> None:
    shown = timeline(replace(healthy(), is_source_down=True), 5)

    assert verdicts(shown) == [Verdict.LIVE, Verdict.HELD, Verdict.SLATE]


def test_a_source_that_comes_to_be_down_later_turns_the_cover_into_a_slate() -> None:
    covered = replace(healthy(), now_ns=START_NS + 2 * NS_PER_S)

    assert choose(covered).verdict is Verdict.COVERED
    assert choose(replace(covered, is_source_down=True)).verdict is Verdict.SLATE


def test_a_camera_of_one_picture_in_two_seconds_does_not_flicker() -> None:
    slow = healthy(interval_ms=2000)

    assert verdicts(timeline(slow, 2)) == [Verdict.LIVE]


def test_a_stricter_chain_covers_at_once() -> None:
    stricter = replace(healthy(), required_revision=2)

    assert choose(stricter).verdict is Verdict.COVERED
    assert verdicts(timeline(stricter, 3)) == [Verdict.COVERED]


def test_a_stricter_chain_is_live_as_soon_as_a_frame_has_passed_it() -> None:
    at = replace(healthy(), required_revision=2, revision=2)

    assert choose(at).verdict is Verdict.LIVE


def test_before_the_first_frame_a_stream_is_covered_or_says_why_not() -> None:
    nothing = replace(
        healthy(),
        verdict=None,
        capture_ns=0,
        arrived_ns=0,
        live_until_ns=0,
        live_revision=0,
    )

    assert choose(nothing).verdict is Verdict.COVERED
    assert choose(replace(nothing, is_source_down=True)).verdict is Verdict.SLATE


def test_a_chain_that_holds_is_covered_after_a_second() -> None:
    """Frames go on to arrive; each says that its chain has failed."""
    first = replace(healthy(), verdict=Verdict.HELD, live_until_ns=START_NS)
    later = [
        replace(first, now_ns=now_ns, arrived_ns=now_ns, capture_ns=now_ns)
        for now_ns in range(START_NS, START_NS + 2 * NS_PER_S, 33 * NS_PER_MS)
    ]

    shown = [choose(at) for at in later]

    assert verdicts(shown) == [Verdict.HELD, Verdict.COVERED]
    covered = [moment.verdict for moment in shown].index(Verdict.COVERED)
    assert later[covered - 1].now_ns - START_NS < HOLD_NS


def test_a_picture_is_not_shown_beyond_its_bound_while_frames_are_late() -> None:
    late = replace(healthy(), max_age_ns=200 * NS_PER_MS)
    late = replace(late, capture_ns=late.arrived_ns - NS_PER_S)

    assert choose(late).verdict is Verdict.HELD
