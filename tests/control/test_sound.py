"""What the API says of a stream's sound."""

from __future__ import annotations

import pytest

from ooblexd.audio import AudioCodec
from ooblexd.board import Board
from ooblexd.clock import NS_PER_S
from ooblexd.control.sound import judge_sound
from ooblexd.counters import StageWord
from ooblexd.plan import Audio, EffectPlan, StreamPlan

NOW_NS = 100 * NS_PER_S
BLUR = EffectPlan("blur_faces", is_privacy=True)
GRAY = EffectPlan("grayscale")


@pytest.mark.parametrize(
    ("audio", "heard_s_ago", "effects", "state", "codec", "reason"),
    [
        ("auto", 1, (GRAY,), "on", "opus", ""),
        ("auto", 1, (GRAY, BLUR), "off", "opus", "because of blur_faces: a voice"),
        ("on", 1, (BLUR,), "on", "opus", ""),
        ("off", 1, (), "off", None, 'audio = "off"'),
        ("auto", 60, (BLUR,), "none", None, "the source sends no sound"),
        ("auto", 100, (), "none", None, "the source sends no sound"),
    ],
)
def test_it_is_told_what_becomes_of_the_sound_and_why(  # noqa: PLR0913, PLR0917 # a table
    audio: Audio,
    heard_s_ago: int,
    effects: tuple[EffectPlan, ...],
    state: str,
    codec: str | None,
    reason: str,
) -> None:
    plan = StreamPlan("door", "rtsp://192.0.2.7/", audio=audio, effects=effects)
    board = Board()
    page = board.page(board.allocate())
    page.words[StageWord.SOUND_CODEC] = AudioCodec.OPUS
    page.words[StageWord.SOUND_NS] = NOW_NS - heard_s_ago * NS_PER_S

    told = judge_sound(plan, page, NOW_NS, is_running=True)

    assert (told.state.value, told.codec) == (state, codec)
    assert told.reason.startswith(reason)
    assert bool(told.reason) == bool(reason)


def test_a_source_that_is_away_has_no_sound_and_needs_no_reason() -> None:
    board = Board()
    page = board.page(board.allocate())

    told = judge_sound(StreamPlan("door", "demo:"), page, NOW_NS, is_running=False)

    assert (told.state.value, told.reason) == ("none", "")
