"""Changes of the streams: by API all of it or nothing, by a reload each on its own.

A change has two steps. First everything that can fail: the memory of the streams that
begin is opened, where nobody sees it yet, and the new configuration file is put in its
place. Then what cannot fail any more: workers are started, told and ended. So too
little memory or a full disk leaves everything as it was, and whoever asked may die at
any moment: what runs and what the file says change in one turn of the loop.

Within a change removals make no room for what is added: a removed stream cannot come
back as it was, so it goes only when all the rest is certain.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ooblexd.commands import Applied
from ooblexd.errors import (
    ChangeRefusedError,
    OoblexdError,
    PortUnusableError,
    SharedMemoryFullError,
)
from ooblexd.plan import parse_stream_plan
from ooblexd.supervisor.doors import refuse_twins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ooblexd.commands import ApplyPlans
    from ooblexd.plan import StreamPlan
    from ooblexd.supervisor.stream import Stream
    from ooblexd.supervisor.streams import Streams

RELOAD = 0
"""The request number of what nobody waits for."""

# The layout of all streams, their plans in it, is one datagram of less than 208 KiB.
_MOST_PLAN_BYTES = 4096

logger = logging.getLogger(__name__)


def apply(streams: Streams, wish: ApplyPlans, commit: Callable[[], None]) -> None:
    """Do what control asks for, and answer when it is so, or why it is not.

    Args:
        streams: What there is.
        wish: What is wanted.
        commit: Puts the file in its place; what it raises undoes the change.
    """
    error, needed_bytes, free_bytes, is_lack = "", 0, 0, False
    leaving: list[Stream] = []
    try:
        leaving = _make(streams, wish.plans, commit)
    except SharedMemoryFullError as full:
        error = str(full)
        needed_bytes, free_bytes = full.needed_bytes, full.free_bytes
    except OoblexdError as refusal:
        error = str(refusal)
        is_lack = isinstance(refusal.__cause__, OSError)
    except OSError as lack:  # descriptors, most likely
        is_lack = True
        error = f"the system gives no more: {lack.strerror or lack}"
    if leaving:
        streams.retire(leaving, wish.request)  # which answers when they have ended
    else:
        answer = Applied(wish.request, error, needed_bytes, free_bytes, is_lack)
        streams.tell_control(answer)


def reload(streams: Streams, plans: Mapping[str, str]) -> list[str]:
    """Do what a new file says, as far as possible, and return what was not, and why."""
    problems = []
    for name, plan in plans.items():
        try:
            leaving = _make(streams, {name: plan}, lambda: None)
        except (OoblexdError, OSError) as error:
            logger.error("[stream %s] reload: %s", name, error)
            problems.append(f"streams.{name}: {error}")
            is_lasting = isinstance(error, (SharedMemoryFullError, PortUnusableError))
            if is_lasting and not streams.get(name):
                streams.keep_without_memory(parse_stream_plan(plan), str(error))
        else:
            streams.retire(leaving, RELOAD)
    return problems


def _make(
    streams: Streams, plans: Mapping[str, str], commit: Callable[[], None]
) -> list[Stream]:
    """Make a change, but for the streams that it ends, which it returns."""
    for name, plan in plans.items():
        _check(streams, name, plan)
    refuse_twins(_plans_after(streams, plans))
    with ExitStack() as undo:
        undo.callback(streams.settle_doors)
        drafts = _open_memory(streams, plans, undo)
        commit()
        undo.pop_all()
    for draft in drafts.values():
        streams.enter(draft)
    known = {name: streams.get(name) for name in plans.keys() - drafts.keys()}
    leaving = [
        stream
        for name, stream in known.items()
        if stream is not None and _ends(streams, stream, plans[name])
    ]
    streams.settle_doors()
    return leaving


def _plans_after(streams: Streams, plans: Mapping[str, str]) -> list[StreamPlan]:
    kept = [stream.plan for stream in streams if stream.name not in plans]
    return kept + [parse_stream_plan(plan) for plan in plans.values() if plan]


def _check(streams: Streams, name: str, plan: str) -> None:
    if streams.is_closing or streams.is_leaving(name):
        raise ChangeRefusedError(f"stream {name} is being stopped; try again")
    if len(plan) > _MOST_PLAN_BYTES:
        size = f"a plan of {len(plan)} bytes, at most {_MOST_PLAN_BYTES}"
        raise ChangeRefusedError(size)
    if not plan and streams.get(name) is None:
        raise ChangeRefusedError(f"there is no stream {name}")


def _open_memory(
    streams: Streams, plans: Mapping[str, str], undo: ExitStack
) -> dict[str, Stream]:
    """Open memory and ports of all that begins; return the streams that are new."""
    drafts: dict[str, Stream] = {}
    for name, text in plans.items():
        known = streams.get(name)
        if not text:
            continue
        plan = parse_stream_plan(text)
        if known is None:
            drafts[name] = streams.draft(plan, list(drafts.values()))
            undo.callback(drafts[name].close)
            continue
        streams.doors.open_for(plan)
        if plan.enabled and not known.rings:
            known.open_rings(plan)
            undo.callback(known.close_rings)
        elif known.rings and known.open_uploads(plan):
            undo.callback(known.close_uploads)
    return drafts


def _ends(streams: Streams, stream: Stream, text: str) -> bool:
    """Change a stream; say whether it is to end, for now or for good."""
    if not text:
        stream.is_removed = True
        return True
    plan = parse_stream_plan(text)
    if plan.enabled and stream.ingest not in streams.workers:
        streams.begin(stream, plan)
        return False
    streams.change(stream, plan)
    return not plan.enabled and bool(stream.rings)
