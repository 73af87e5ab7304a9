from __future__ import annotations

from ooblexd.clock import NS_PER_S
from ooblexd.sources import SourceOptions
from ooblexd.sources.patience import Patience


class Bench:
    """A patience of 20 s whose time the test says."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.times_told = 0
        options = SourceOptions(now_ns=self.now_ns, on_progress=self.note_progress)
        self.patience = Patience(20.0, options)

    def now_ns(self) -> int:
        return int(self.now_s * NS_PER_S)

    def note_progress(self) -> None:
        self.times_told += 1

    def send_for(self, seconds: int) -> list[str]:
        """Send a picture a second, and return what was judged."""
        judged = []
        for _ in range(seconds):
            self.now_s += 1
            self.patience.note_video(self.now_ns())
            judged.append(self.patience.judge())
        return judged


def test_who_sends_pictures_and_never_a_keyframe_is_over_in_the_end() -> None:
    bench = Bench()

    assert bench.send_for(22) == [""] * 20 + ["has sent no keyframe"] * 2
    assert bench.times_told == 22, "or it would be taken for hung"


def test_who_has_begun_may_go_on_and_not_fall_silent() -> None:
    bench = Bench()
    bench.patience.be_impatient(2.0)

    assert bench.send_for(60) == [""] * 60
    bench.now_s += 2
    assert bench.patience.judge() == ""
    bench.now_s += 0.1
    assert bench.patience.judge() == "has sent no video for 2 s"


def test_who_never_begins_is_over_sooner() -> None:
    bench = Bench()

    bench.now_s += 10.1

    assert bench.patience.judge() == "has sent no video for 10 s"
