"""What a viewer may see now: pure, and the last word on "never unprotected".

Output alone makes covers and slates, and it never holds a raw pixel. Each time it
comes round it describes the situation and asks `choose`; the rules are these.

1. A live picture is shown only if it satisfies the required revision and is not older
   than the bound.
2. Where the chain says so, or frames stop coming, the last protected picture is held,
   for at most a second.
3. After that: a slate where the source is down or its worker is not up, since there is
   nothing to protect and the owner wants the reason; else the cover.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.frame import Verdict

HOLD_NS = NS_PER_S
_SILENCE_NS = 300 * NS_PER_MS
_SILENT_INTERVALS = 2.5  # a slow camera is not a silent one


class Cause(enum.Enum):
    """Why what is shown is not live."""

    NONE = "none"
    CHAIN = "chain"  # the chain failed or is not warm
    REVISION = "revision"  # nothing has passed the required chain yet
    SILENCE = "silence"  # no frame comes
    SOURCE = "source"  # the source is down


@dataclass(frozen=True, slots=True)
class Situation:
    """What output knows.

    Attributes:
        now_ns: Monotonic time.
        verdict: Of the newest processed frame; None before the first one.
        capture_ns: Of the newest processed frame.
        arrived_ns: When it was processed; a silence counts from here.
        revision: That it has passed.
        live_until_ns: When the newest live picture was processed; 0 without one.
        live_revision: That the newest live picture has passed.
        required_revision: What a picture must have passed.
        max_age_ns: The bound.
        interval_ns: Between the stream's frames, as measured; 0 if unknown.
        is_source_down: Ingest says so, or its worker is not up, or it gave nothing
            for 3 s.
    """

    now_ns: int
    verdict: Verdict | None
    capture_ns: int
    arrived_ns: int
    revision: int
    live_until_ns: int
    live_revision: int
    required_revision: int
    max_age_ns: int
    interval_ns: int
    is_source_down: bool


@dataclass(frozen=True, slots=True)
class Showing:
    """What is shown.

    Attributes:
        verdict: Live, held, covered or slate.
        cause: Why it is not live.
        due_ns: When to look again though nothing happens.
    """

    verdict: Verdict
    cause: Cause
    due_ns: int


def choose(at: Situation) -> Showing:
    """Decide what to show in the situation ``at``."""
    silence_ns = max(_SILENCE_NS, int(_SILENT_INTERVALS * at.interval_ns))
    is_silent = at.now_ns - at.arrived_ns > silence_ns
    fresh_ns = max(at.max_age_ns, silence_ns)
    is_fresh = at.now_ns - at.capture_ns <= fresh_ns
    satisfies = at.revision >= at.required_revision
    if at.verdict is Verdict.LIVE and satisfies and is_fresh and not is_silent:
        ends_ns = min(at.arrived_ns + silence_ns, at.capture_ns + fresh_ns)
        return Showing(Verdict.LIVE, Cause.NONE, ends_ns + 1)
    cause = _cause(at, is_silent=is_silent, satisfies=satisfies)
    may_hold = at.live_until_ns > 0 and at.live_revision >= at.required_revision
    wants_hold = at.verdict is Verdict.HELD or cause in (Cause.SILENCE, Cause.SOURCE)
    held_until_ns = at.live_until_ns + max(HOLD_NS, silence_ns)
    if may_hold and wants_hold and at.now_ns < held_until_ns:
        return Showing(Verdict.HELD, cause, held_until_ns)
    if cause is Cause.SOURCE:
        return Showing(Verdict.SLATE, Cause.SOURCE, at.now_ns + NS_PER_S)
    return Showing(Verdict.COVERED, cause, at.now_ns + NS_PER_S)


def _cause(at: Situation, *, is_silent: bool, satisfies: bool) -> Cause:
    if at.verdict is None or is_silent:
        return Cause.SOURCE if at.is_source_down else Cause.SILENCE
    if not satisfies:
        return Cause.REVISION
    if at.verdict is Verdict.LIVE:
        return Cause.SILENCE  # too old to be shown
    return Cause.CHAIN
