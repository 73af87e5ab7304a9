"""How long a publisher is waited for, however it publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions

_BEGINS_WITHIN_S = 10.0


class Patience:
    """The clock of one publisher.

    Args:
        open_timeout_s: It is over after so long if nobody becomes impatient before.
        options: Tell the time; and are told until then that something is done.
    """

    def __init__(self, open_timeout_s: float, options: SourceOptions) -> None:
        self._options = options
        self._last_ns = options.now_ns()
        self._silence_s = _BEGINS_WITHIN_S
        self._opens_by_ns: int | None = self._last_ns + int(open_timeout_s * NS_PER_S)

    def note_video(self, now_ns: int) -> None:
        """Count silence from now on."""
        self._last_ns = now_ns

    def be_impatient(self, silence_s: float) -> None:
        """End, from now on, when no video has come for so long."""
        self._silence_s, self._opens_by_ns = silence_s, None

    def judge(self) -> str:
        """Say what the publisher did that it is over; empty while it is not."""
        now_ns = self._options.now_ns()
        if now_ns - self._last_ns > self._silence_s * NS_PER_S:
            return f"has sent no video for {self._silence_s:g} s"
        if self._opens_by_ns is None:
            return ""
        self._options.on_progress()
        return "has sent no keyframe" if now_ns > self._opens_by_ns else ""
