"""Pictures that a browser, OBS or a phone publishes by WebRTC (``whip:``).

They come still encoded through a `Publication`, since who decodes them decides which
are worth it. Silence is no fault of this source, so it never ends and never fails; it
says that it waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import av
from av.codec.context import Flags

from ooblexd.clock import NS_PER_S
from ooblexd.errors import SourceUnavailableError, SourceWaitingError
from ooblexd.sources.arrivals import Arrival, first_of_use
from ooblexd.sources.decoding import Decoder, Taken
from ooblexd.sources.keyframes import is_keyframe
from ooblexd.sources.options import SourceDescription

if TYPE_CHECKING:
    from ooblexd.sources import Picture
    from ooblexd.sources.options import SourceOptions

PATIENCE_NS = 2 * NS_PER_S
"""Silence of a publisher for this long is told to those who watch."""

_RTP = Fraction(1, 90_000)
_NOBODY = "nobody publishes; a browser, OBS or a phone may"
_CONNECTED = "a publisher is there, but no picture has come yet"
_SILENT = "the publisher sends no pictures at present"
_DAMAGED = "what the publisher sends cannot be decoded"


@dataclass(frozen=True, slots=True)
class Unit:
    """A picture as somebody published it.

    Attributes:
        publisher: Who; what comes of another one has nothing to do with it.
        codec: ``h264`` or ``vp8``.
        data: The whole of it; H.264 with start codes (Annex B).
        rtp_time: In 1/90000 s, since some time of the publisher's own.
        arrival_ns: Monotonic time at which its last packet came.
        is_after_gap: Something that came before it was lost.
    """

    publisher: str
    codec: str
    data: bytes
    rtp_time: int
    arrival_ns: int
    is_after_gap: bool = False


class Publication(Protocol):
    """Where the pictures of who publishes arrive."""

    @property
    def publisher(self) -> str:
        """Who publishes; empty for nobody."""

    def take(self, within_s: float) -> list[Unit]:
        """Return all that has come, waiting for something.

        Nothing comes out where nothing came in time, or who publishes has changed.
        """

    def want_keyframe(self) -> None:
        """Ask for a picture that needs no other one; not too often."""


def open_whip(options: SourceOptions) -> WhipSource:
    """Wait for the publication of ``options``.

    Raises:
        SourceUnavailableError: There is none: nothing outside of a running stream can
            be published to.
    """
    if options.publication is None:
        raise SourceUnavailableError("it is published to, where a stream runs")
    return WhipSource(options.publication, options)


class WhipSource:
    """A `ooblexd.sources.Source` of what is published.

    Args:
        publication: Where it arrives.
        options: How it is read.

    Attributes:
        description: Nothing is known before the first picture.
    """

    def __init__(self, publication: Publication, options: SourceOptions) -> None:
        self.description = SourceDescription("", 0, 0, 0.0, False, "webrtc")
        self._publication = publication
        self._options = options
        self._opened_ns = options.now_ns()
        self._due_ns = self._opened_ns  # when to say that nothing comes
        self._reason = ""  # why nothing comes, where something has
        self._reading: _Reading | None = None
        self._taken: list[Taken] = []

    def read(self) -> Picture:
        """Block until the next picture that the rate admits.

        Raises:
            SourceWaitingError: Nothing that could be shown came for two seconds, or the
                publisher has gone; also by the first call, and after it each time as
                long again.
        """
        while not self._taken:
            self._wait()
        taken = self._taken.pop(0)
        assert self._reading is not None, "it has taken it"
        return taken.as_picture(
            pts_ns=self._reading.pts_ns(taken),
            capture_ns=taken.arrival_ns,
            decoded_ns=self._options.now_ns(),
        )

    def close(self) -> None:
        """Nothing is held; the publication is its owner's."""

    def _wait(self) -> None:
        """Take what comes next.

        Raises:
            SourceWaitingError: It is time to say that nothing does.
        """
        left_ns = self._due_ns - self._options.now_ns()
        units = self._publication.take(left_ns / NS_PER_S) if left_ns > 0 else []
        if units and self._take(units):
            self._due_ns = self._options.now_ns() + PATIENCE_NS
        has_gone = self._reading is not None and not self._publication.publisher
        if not self._taken and (has_gone or self._options.now_ns() >= self._due_ns):
            self._due_ns = self._options.now_ns() + PATIENCE_NS
            raise SourceWaitingError(self._why())

    def _why(self) -> str:
        if not self._publication.publisher:
            self._reading, self._reason = None, ""
            return _NOBODY
        return self._reason or _CONNECTED

    def _take(self, units: list[Unit]) -> bool:
        """Decode what is worth it, and say whether what comes can be decoded."""
        newest = units[-1]
        reading = self._reading
        if reading is None or not reading.is_of(newest):
            reading = self._reading = _Reading(newest, self._options)
        try:
            self._taken += reading.take([one for one in units if reading.is_of(one)])
        except SourceUnavailableError:
            self._reading = None
            is_good = False
        else:
            is_good = not reading.needs_keyframe
        self._reason = _SILENT if is_good else _DAMAGED
        if not is_good:
            self._publication.want_keyframe()
        return is_good


class _Reading:
    """What is known of one publisher's pictures.

    Attributes:
        needs_keyframe: Nothing else can be decoded.
    """

    def __init__(self, first: Unit, options: SourceOptions) -> None:
        self.needs_keyframe = True
        self._of = (first.publisher, first.codec)
        self._options = options
        self._began = (first.rtp_time, options.now_ns())
        codec = av.CodecContext.create(first.codec, "r")
        assert isinstance(codec, av.VideoCodecContext), "of video"
        codec.thread_type = "NONE"
        codec.flags |= Flags.low_delay
        self._decoder = Decoder(codec, options, _DAMAGED)

    def is_of(self, unit: Unit) -> bool:
        """Say whether ``unit`` goes on with what came before."""
        return self._of == (unit.publisher, unit.codec)

    def pts_ns(self, taken: Taken) -> int:
        """Return the time of a picture, which goes on from publisher to publisher."""
        rtp_time, at_ns = self._began
        passed = (taken.pts or rtp_time) - rtp_time
        return at_ns + int(passed * _RTP * NS_PER_S)

    def take(self, units: list[Unit]) -> list[Taken]:
        """Return the pictures that are there by ``units``.

        Raises:
            SourceUnavailableError: Nothing that came could be decoded.
        """
        arrivals = [Arrival(_packet(unit), unit.arrival_ns) for unit in units]
        first = first_of_use(
            arrivals,
            lambda packet: packet.is_keyframe,
            is_intra_only=False,
            cost_ns=self._decoder.cost_ns,
        )
        taken: list[Taken] = []
        for place, (unit, arrival) in enumerate(zip(units, arrivals, strict=True)):
            is_newest = arrival is arrivals[-1]
            self.needs_keyframe |= unit.is_after_gap or place < first
            is_decodable = place >= first and self._is_decodable(arrival.packet)
            if not (is_newest and is_decodable):
                self._options.on_passed_over()
            if is_decodable:
                taken += self._decode(arrival, is_newest=is_newest)
        return taken

    def _is_decodable(self, packet: av.Packet[av.VideoStream]) -> bool:
        if self.needs_keyframe and packet.is_keyframe:
            self._decoder.leave_out()
            self.needs_keyframe = False
        return not self.needs_keyframe

    def _decode(self, arrival: Arrival, *, is_newest: bool) -> list[Taken]:
        is_wanted = is_newest and self._options.rate.admits(arrival.at_ns)
        found = self._decoder.take(arrival.packet, arrival.at_ns, is_wanted=is_wanted)
        if is_wanted and not found and not self._decoder.is_reordering:
            self.needs_keyframe = True
        return found


def _packet(unit: Unit) -> av.Packet[av.VideoStream]:
    packet = cast("av.Packet[av.VideoStream]", av.Packet(unit.data))
    packet.pts = packet.dts = unit.rtp_time
    packet.time_base = _RTP
    packet.is_keyframe = is_keyframe(unit.codec, unit.data)
    return packet
