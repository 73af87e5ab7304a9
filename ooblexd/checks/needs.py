"""What a configuration needs of the box, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.commands import RingKind
from ooblexd.frame import HEADER_BYTES, i420_bytes
from ooblexd.supervisor.stream import FIRST_SLOT_BYTES, first_spec

if TYPE_CHECKING:
    from ooblexd.plan import DaemonPlan, StreamPlan

# Proportional set sizes in MiB that `ooblexd status` shows for 720p H.264, x86-64.
_DAEMON_MIB = 60
_INFERENCE_MIB = 85
_STREAM_MIB = 80
# Sockets, eventfds, rings and pages of a stream, and what control holds for all.
_DESCRIPTORS, _DESCRIPTORS_A_STREAM = 64, 24
_MIB = 1024 * 1024


def enabled_streams(plan: DaemonPlan) -> list[StreamPlan]:
    """Return the streams that have workers."""
    return [stream for stream in plan.streams if stream.enabled]


def shared_memory_bytes(plan: DaemonPlan, size: tuple[int, int] | None = None) -> int:
    """Return what the rings of all enabled streams take in shared memory.

    Args:
        plan: The configuration.
        size: Width and height of the pictures; None is what rings begin with.
    """
    slots = dict(FIRST_SLOT_BYTES)
    if size is not None:
        picture_bytes = HEADER_BYTES + i420_bytes(*size)
        slots[RingKind.RAW] = slots[RingKind.PROCESSED] = picture_bytes
    segments = {
        kind: first_spec(kind, slot_bytes).total_bytes
        for kind, slot_bytes in slots.items()
    }
    uploads = segments.pop(RingKind.UPLOADED)
    return sum(
        sum(segments.values()) + (uploads if stream.takes_uploads else 0)
        for stream in enabled_streams(plan)
    )


def memory_bytes(plan: DaemonPlan) -> int:
    """Return about how much memory the daemon takes, its rings included."""
    streams = len(enabled_streams(plan))
    processes = _DAEMON_MIB + plan.inference_workers * _INFERENCE_MIB
    processes += streams * _STREAM_MIB
    return processes * _MIB + shared_memory_bytes(plan)


def descriptors(plan: DaemonPlan) -> int:
    """Return about how many descriptors the supervisor needs."""
    return _DESCRIPTORS + len(enabled_streams(plan)) * _DESCRIPTORS_A_STREAM
