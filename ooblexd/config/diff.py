"""What a new configuration changes, as a value: only what it names is touched.

Loads nothing, so the supervisor may use it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import TYPE_CHECKING

from ooblexd.plan import format_plan

if TYPE_CHECKING:
    from ooblexd.plan import DaemonPlan, StreamPlan


class Kind(Enum):
    """What happened to a stream, or to the daemon."""

    ADDED = "added"
    REMOVED = "removed"
    SOURCE = "source"
    """Its frames come from elsewhere or otherwise: ingest starts anew."""
    EFFECTS = "effects"
    OTHER = "other"
    """Changed while it runs, or it was switched on or off."""
    RESTART = "restart"
    """Takes effect only when the daemon starts again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: What kind of change.
        stream: Whose; empty for the daemon itself.
        keys: Which keys differ, for people and the log.
    """

    kind: Kind
    stream: str = ""
    keys: tuple[str, ...] = ()

    @property
    def needs_restart(self) -> bool:
        """Whether it waits for the next start of the daemon."""
        return self.kind is Kind.RESTART

    def __str__(self) -> str:
        if self.needs_restart:
            return f"{', '.join(self.keys)}: takes effect after a restart"
        of_stream = f"streams.{self.stream}" if self.stream else "daemon"
        words = ", ".join(self.keys) or self.kind.value
        return f"{of_stream}: {words}"


_KEYS = {
    "host": "http.host",
    "port": "http.port",
    "allowed_hosts": "http.allowed_hosts",
    "rtsp": "rtsp",
    "inference_workers": "inference.workers",
    "inference_threads": "inference.threads",
    "engine": "inference.engine",
    "webrtc": "webrtc",
    "log_level": "log.level",
    "log_format": "log.format",
    "config_path": "--config",
}
_LIVE = {"log_level", "allowed_hosts", "webrtc"}
_SOURCE = {"source", "input", "transport"}


def diff(old: DaemonPlan, new: DaemonPlan) -> list[Change]:
    """Return what ``new`` changes; nothing where they are equal.

    Removals come first, since they make room; a stream gets one change for each of
    source, effects and other.
    """
    before = {stream.name: stream for stream in old.streams}
    after = {stream.name: stream for stream in new.streams}
    changes = [Change(Kind.REMOVED, name) for name in before if name not in after]
    for name, stream in after.items():
        if name in before:
            changes += diff_stream(before[name], stream)
        else:
            changes.append(Change(Kind.ADDED, name))
    return changes + _diff_daemon(old, new)


def plans_between(old: DaemonPlan, new: DaemonPlan) -> dict[str, str]:
    """Return the changes of the streams that lead from ``old`` to ``new``.

    Returns:
        The new plan of each stream that differs, as JSON and empty for one that goes;
        removals first, since they make room.
    """
    plans = {stream.name: format_plan(stream) for stream in new.streams}
    names = [change.stream for change in diff(old, new)]
    return {name: plans.get(name, "") for name in names if name}


def waiting_keys(running: DaemonPlan, wanted: DaemonPlan) -> list[str]:
    """Return the keys of ``wanted`` that take effect only after a restart."""
    changes = diff(running, wanted)
    return [key for change in changes if change.needs_restart for key in change.keys]


def diff_stream(old: StreamPlan, new: StreamPlan) -> list[Change]:
    """Return what ``new`` changes in the stream ``old``."""
    keys = _differing(old, replace(new, name=old.name))
    groups = {
        Kind.SOURCE: [key for key in keys if key in _SOURCE],
        Kind.EFFECTS: [key for key in keys if key == "effects"],
        Kind.OTHER: [key for key in keys if key not in _SOURCE | {"effects"}],
    }
    return [
        Change(kind, new.name, tuple(found)) for kind, found in groups.items() if found
    ]


def _diff_daemon(old: DaemonPlan, new: DaemonPlan) -> list[Change]:
    keys = [key for key in _differing(old, new) if key in _KEYS]
    live = tuple(_KEYS[key] for key in keys if key in _LIVE)
    restart = tuple(_KEYS[key] for key in keys if key not in _LIVE)
    changes = [Change(Kind.OTHER, keys=live)] if live else []
    return changes + ([Change(Kind.RESTART, keys=restart)] if restart else [])


def _differing(old: DaemonPlan | StreamPlan, new: DaemonPlan | StreamPlan) -> list[str]:
    names = [item.name for item in fields(old)]
    return [name for name in names if getattr(old, name) != getattr(new, name)]
