"""Whether a stream's source is heard, and whether that is passed on: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.audio import AudioCodec
from ooblexd.clock import NS_PER_S
from ooblexd.control.answers import SoundReport, SoundState
from ooblexd.counters import StageWord

if TYPE_CHECKING:
    from ooblexd.board import Page
    from ooblexd.plan import StreamPlan

HEARD_NS = 5 * NS_PER_S
"""A source that has sent sound within it has sound; cameras pause for less."""

_NOTHING = (
    "the source sends no sound, or none that is AAC, Opus or G.711; what is left out "
    "is named in the log"
)
_VOICE = 'a voice tells who it is; audio = "on" passes the sound on all the same'


def judge_sound(
    plan: StreamPlan, ingest: Page, now_ns: int, *, is_running: bool
) -> SoundReport:
    """Say what becomes of the sound of a stream.

    Args:
        plan: Of the stream.
        ingest: The page of its ingest.
        now_ns: Monotonic time.
        is_running: Whether its source is there.
    """
    if plan.audio == "off":
        return SoundReport(SoundState.OFF, None, 'audio = "off"')
    heard_ns = ingest.words[StageWord.SOUND_NS]
    if not is_running or not heard_ns or now_ns - heard_ns > HEARD_NS:
        return SoundReport(SoundState.NONE, None, _NOTHING if is_running else "")
    codec = AudioCodec(ingest.words[StageWord.SOUND_CODEC]).name.lower()
    if plan.passes_audio:
        return SoundReport(SoundState.ON, codec, "")
    names = " and ".join(one.effect for one in plan.effects if one.is_privacy)
    return SoundReport(SoundState.OFF, codec, f"because of {names}: {_VOICE}")
