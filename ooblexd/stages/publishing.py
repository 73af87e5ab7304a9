"""Step 0, for streams that are published to: pictures out of the thread of WebRTC.

What comes lies still encoded between that thread and the pump's, in a place of bounded
size. Nothing of it is there before somebody publishes: neither thread nor library.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_S
from ooblexd.errors import ThreadHungError
from ooblexd.signalling import Signalled
from ooblexd.sources.media_clock import MediaClock
from ooblexd.sources.whip import Unit
from ooblexd.webrtc.exchange import Reception, Return, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.frame import FrameHeader
    from ooblexd.signalling import Signal
    from ooblexd.webrtc.exchange import EncodedUnit, ReceivedSound, ReceivedUnit
    from ooblexd.webrtc.publishers import Publishers
    from ooblexd.webrtc.thread import SessionThread

_MOST_WAITING = 256  # pictures that nobody takes
_MOST_BYTES = 16 << 20
_SOUND_HZ = 48_000  # of RTP's clock for Opus (RFC 7587)


class Published:
    """A `ooblexd.sources.whip.Publication` of one pump.

    Args:
        want_keyframe: Asks who publishes for one.

    Attributes:
        publisher: Who publishes now; empty for nobody.
    """

    def __init__(self, publisher: str, want_keyframe: Callable[[], None]) -> None:
        self.publisher = publisher
        self.want_keyframe = want_keyframe
        self._change = threading.Condition()
        self._units: list[Unit] = []
        self._bytes = 0
        self._has_changed = False

    def put(self, unit: Unit) -> None:
        """Add what has come; what nobody takes makes room for it."""
        with self._change:
            if len(self._units) >= _MOST_WAITING or self._bytes > _MOST_BYTES:
                self._units, self._bytes = [], 0
                unit = replace(unit, is_after_gap=True)
            self._units.append(unit)
            self._bytes += len(unit.data)
            self._change.notify()

    def set_publisher(self, name: str) -> None:
        """Know who publishes from now on."""
        with self._change:
            self.publisher = name
            self._has_changed = True
            self._change.notify()

    def take(self, within_s: float) -> list[Unit]:
        """Return all that has come; nothing where nothing did, or another publishes."""
        with self._change:
            self._change.wait_for(lambda: self._units or self._has_changed, within_s)
            units, self._units, self._bytes = self._units, [], 0
            self._has_changed = False
            return units


class Publishing:
    """Those who publish to one stream, for the loop of its ingest.

    Args:
        on_audio: Called in their thread with each packet of sound.
        may_show: Called there: says whether a picture may be sent back now.

    Attributes:
        wishes: What who publishes wants back over the same connection.
    """

    def __init__(
        self,
        on_audio: Callable[[AudioPacket], None],
        may_show: Callable[[FrameHeader], bool],
    ) -> None:
        self.wishes = Wishes()
        self._on_audio = on_audio
        self._may_show = may_show
        self._clock = MediaClock()
        self._thread: SessionThread[Publishers] | None = None
        self._published: Published | None = None
        self._publisher = ""
        self._refusals: list[Signalled] = []

    @property
    def wake_fds(self) -> tuple[int, ...]:
        """Readable once `turn` has something to do."""
        return (self._thread.wake_fd,) if self._thread else ()

    def obey(self, signal: Signal) -> None:
        """Have a publisher answered; the answer comes by `turn`."""
        if self._published is None:
            detail = f"{signal.stream} cannot be published to yet; try again"
            self._refusals.append(Signalled(signal.request, detail, 503))
            return
        if self._thread is None:
            from ooblexd.webrtc.thread import start_publishers  # noqa: PLC0415 # asyncio

            self._thread = start_publishers(
                signal.stream,
                Reception(self._put, self._hear, self._set_publisher),
                Return(self.wishes, self._may_show),
            )
        self._thread.obey(signal)

    def turn(self) -> list[Signalled]:
        """Return the answers that are due.

        Raises:
            ThreadHungError: Their thread does.
        """
        refusals, self._refusals = self._refusals, []
        if self._thread is None:
            return refusals
        if self._thread.is_hung:
            raise ThreadHungError("WebRTC")
        return refusals + self._thread.answers()

    def open_publication(self) -> Published:
        """Return where the pictures arrive from now on, instead of the one before."""
        self._published = Published(self._publisher, self._want_keyframe)
        return self._published

    def close(self) -> None:
        """End all connections: the stream is not published to any more, or ends."""
        self._published, self._publisher = None, ""
        if self._thread is not None:
            self._thread.close()
            self._thread = None
        self.wishes = Wishes()

    def deliver(self, unit: EncodedUnit) -> None:
        """Send a picture back to who publishes."""
        if self._thread is not None:
            self._thread.call(lambda publishers: publishers.deliver(unit))

    def _want_keyframe(self) -> None:
        if (thread := self._thread) is not None:
            thread.call(_ask_for_keyframe)

    # Called in the thread of the publishers.

    def _put(self, unit: ReceivedUnit) -> None:
        if (published := self._published) is not None:
            published.put(Unit(**{**unit._asdict(), "codec": unit.codec.value}))

    def _hear(self, sound: ReceivedSound) -> None:
        pts_ns = sound.rtp_time * NS_PER_S // _SOUND_HZ
        self._clock.note(pts_ns, sound.arrival_ns)
        self._on_audio(
            AudioPacket(
                codec=AudioCodec.OPUS,
                sample_rate=_SOUND_HZ,
                channels=2,
                at_ns=self._clock.at(pts_ns, sound.arrival_ns),
                duration_ns=0,
                setup=b"",
                data=sound.data,
            )
        )

    def _set_publisher(self, name: str) -> None:
        self._publisher = name
        if (published := self._published) is not None:
            published.set_publisher(name)


def _ask_for_keyframe(publishers: Publishers) -> None:
    publishers.want_keyframe()
