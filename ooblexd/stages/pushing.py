"""All pushes of a stream: a taker of H.264, and their page on the board.

Each push has a thread; this is what the loop of the worker has to do with them. It
never waits for one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.counters import PUSH_WORDS, PushState, PushWord
from ooblexd.encoders.video import RATE_HZ, VideoCodec
from ooblexd.errors import EncoderError
from ooblexd.pushes.push import Push
from ooblexd.pushes.url import MOST_PUSHES, names_of, number_of, sound_of
from ooblexd.reminders import Reminders
from ooblexd.webrtc.exchange import Wishes

if TYPE_CHECKING:
    from ooblexd.audio import AudioCodec, AudioPacket
    from ooblexd.board import Page
    from ooblexd.encoders.sound import SoundEncoder
    from ooblexd.plan import PushPlan
    from ooblexd.pushes.push import PushGate
    from ooblexd.webrtc.exchange import EncodedUnit

logger = logging.getLogger(__name__)

KEYFRAME_EVERY_S = 2  # what platforms ask for
_GOODBYE_S = 1.0


class Pushes:
    """The pushes of one stream, in the order of its configuration.

    Args:
        gate: Says whether a picture, or sound, may be sent at this very moment;
            called in the threads of the pushes.

    Attributes:
        wishes: What they want together.
    """

    def __init__(self, gate: PushGate) -> None:
        self.wishes = Wishes()
        self._gate = gate
        self._encoders: dict[AudioCodec, SoundEncoder] = {}
        self._reminders = Reminders()
        self._page: Page | None = None
        self._pushes: dict[PushPlan, Push] = {}
        self._before: dict[int, tuple[int, int]] = {}  # counted in a former life
        self._keyframe_pts = 0
        self._is_said_to_be_none = False

    @property
    def listens(self) -> bool:
        """Whether there is any that sound could go along with."""
        return any(sound_of(plan) is not None for plan in self._pushes)

    def __len__(self) -> int:
        """Return how many there are, whether they run or not."""
        return len(self._pushes)

    def configure(self, plans: tuple[PushPlan, ...], page: Page) -> None:
        """Push to these, and to nobody else; what goes on is not touched.

        Args:
            plans: In the order of the configuration.
            page: Of the stream's pushes; what stands there was counted before.
        """
        if self._page is None:
            self._before = _counted(page)
        self._page, self._is_said_to_be_none = page, False
        for plan in self._pushes.keys() - set(plans):
            push = self._pushes.pop(plan)
            push.end()
            number, status = number_of(plan), push.status
            sent, dropped = self._before.get(number, (0, 0))
            counted = (sent + status.sent, dropped + status.dropped)
            self._before[number] = counted
        names = names_of(plan.url for plan in plans)
        self._pushes = {
            plan: self._pushes.get(plan) or Push(plan, name, self._gate)
            for plan, name in zip(plans, names, strict=True)
        }
        self.turn()

    def turn(self) -> None:
        """Gather what they want, and say how they are."""
        if self._page is None or self._is_said_to_be_none:
            return
        pushes = self._pushes.values()
        is_wanted = any(push.is_wanting for push in pushes)
        self.wishes.codecs = frozenset({VideoCodec.H264} if is_wanted else ())
        estimates = [push.wishes.estimate for push in pushes if push.wishes.estimate]
        self.wishes.estimate = min(estimates, default=0)
        for push in pushes:
            if push.wishes.wants_keyframe(VideoCodec.H264) and push.is_wanting:
                self.wishes.want_keyframe(VideoCodec.H264)
                push.wishes.keyframe_made(VideoCodec.H264)
        for place in range(MOST_PUSHES):
            self._say(self._page, place)
        self._is_said_to_be_none = not pushes

    def deliver(self, codec: VideoCodec, unit: EncodedUnit) -> None:
        """Offer a picture to each of them."""
        assert codec is VideoCodec.H264, "nothing else is wanted"
        for push in self._pushes.values():
            push.offer(unit)
        pts = unit.packet.pts or 0
        if unit.packet.is_keyframe:
            self._keyframe_pts = pts
        elif pts - self._keyframe_pts > (KEYFRAME_EVERY_S - 0.1) * RATE_HZ:
            self.wishes.want_keyframe(VideoCodec.H264)

    def hear(self, packet: AudioPacket) -> None:
        """Offer sound to each of them: what the source has, or encoded once."""
        sounds = [push.sound for push in self._pushes.values()]
        for codec in {sound.codec for sound in sounds} - {None}:
            assert codec is not None, "taken out above"
            try:
                packets = self._encoder_of(codec).take(packet)
            except EncoderError as error:
                if self._reminders.due(str(error), monotonic_ns()):
                    logger.warning("sound is left out: %s", error)
                continue
            for sound in sounds:
                if sound.codec is codec:
                    for one in packets:
                        sound.put(one)

    def _encoder_of(self, codec: AudioCodec) -> SoundEncoder:
        if codec not in self._encoders:
            from ooblexd.encoders.sound import SoundEncoder  # noqa: PLC0415 # rarely

            self._encoders[codec] = SoundEncoder(codec)
        return self._encoders[codec]

    def close(self) -> None:
        """End all of them, and wait a moment for those that end in order."""
        for push in self._pushes.values():
            push.end()
        deadline_ns = monotonic_ns() + int(_GOODBYE_S * NS_PER_S)
        for push in self._pushes.values():
            push.join(max((deadline_ns - monotonic_ns()) / NS_PER_S, 0.0))

    def _say(self, page: Page, place: int) -> None:
        words, row = page.words, place * PUSH_WORDS
        found = list(self._pushes.items())[place : place + 1]
        if not found:
            words[row + PushWord.WHICH] = 0
            words[row + PushWord.STATE] = PushState.NONE
            return
        (plan, push) = found[0]
        number, status = number_of(plan), push.status
        sent, dropped = self._before.get(number, (0, 0))
        if page.read_text(place) != status.reason:
            page.write_text(status.reason, place)
        words[row + PushWord.WHICH] = number
        words[row + PushWord.STATE] = status.state
        words[row + PushWord.SINCE_NS] = status.since_ns
        words[row + PushWord.SENT] = sent + status.sent
        words[row + PushWord.DROPPED] = dropped + status.dropped


def _counted(page: Page) -> dict[int, tuple[int, int]]:
    """Return sent and dropped of each push on a page, by its number."""
    rows = (
        page.words[place * PUSH_WORDS : (place + 1) * PUSH_WORDS]
        for place in range(MOST_PUSHES)
    )
    return {
        row[PushWord.WHICH]: (row[PushWord.SENT], row[PushWord.DROPPED]) for row in rows
    }
