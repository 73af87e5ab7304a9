"""Sound without a gap: where none comes there is silence, so that nobody waits.

Who plays or muxes two tracks waits for the one that lacks something. A source may stop
speaking at any time, and sound that may not be heard any more is left out; pictures
must not wait for either. So packets are laid on a line, one behind the other from the
first picture on, and what is missing is silent. That it is missing is known once
pictures are ahead by a while; from then on until sound comes again the line keeps up
with them.

The first packet, and the first after silence, has its place to half a packet. Those
that follow join up, as long as the source's clock says about the same: one that runs a
little differently is followed in steps that one hardly hears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ooblexd.aac import PACKET_SAMPLES, SILENCE
from ooblexd.clock import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.audio import AudioPacket

ANY_REVISION = 1 << 62  # of silence: it tells nothing
PATIENCE_NS = 300 * NS_PER_MS
_MOST_PATIENCE_NS = 1500 * NS_PER_MS
_PATIENCE_STEP_NS = 100 * NS_PER_MS
_SLACK_NS = 25 * NS_PER_MS
_MOST_SILENCE_NS = 5 * NS_PER_S  # at once; after more the time jumps


class AudioShape(NamedTuple):
    """What a track of AAC is like.

    Attributes:
        rate_hz: Samples a second.
        channels: 1 or 2.
    """

    rate_hz: int
    channels: int


class AudioPiece(NamedTuple):
    """One packet on the line.

    Attributes:
        samples: Where it begins, counted from the origin.
        data: Raw AAC.
        revision: What it has passed; `ANY_REVISION` where it is silent.
    """

    samples: int
    data: bytes
    revision: int


class AudioLine:
    """The sound of one stream, for one who muxes it: pure.

    Args:
        shape: Of every packet.
        origin_ns: Where it begins, on the clock of `AudioPacket.at_ns`.
        patience_ns: How far pictures may be ahead before what is missing is silent.
        passed_ns: How much of it was before: samples are counted from the origin.
    """

    def __init__(
        self,
        shape: AudioShape,
        origin_ns: int,
        patience_ns: int = PATIENCE_NS,
        passed_ns: int = 0,
    ) -> None:
        self.shape = shape
        self._origin_ns = origin_ns
        self._patience_ns = patience_ns
        self._samples = passed_ns * shape.rate_hz // NS_PER_S
        self._reached_ns = origin_ns + passed_ns
        self._is_heard = True
        self._is_joined = False  # to a packet that had its place
        self._silence = SILENCE[shape.channels]

    @property
    def piece_ns(self) -> int:
        """How long one packet lasts."""
        return PACKET_SAMPLES * NS_PER_S // self.shape.rate_hz

    @property
    def end_ns(self) -> int:
        """Up to when there is sound."""
        return self._origin_ns + self._samples * NS_PER_S // self.shape.rate_hz

    def put(self, packet: AudioPacket) -> list[AudioPiece]:
        """Return what a packet adds: silence before it, and itself if it is in time."""
        self._is_heard = True
        half_ns = self.piece_ns // 2
        slack_ns = max(_SLACK_NS, self.piece_ns) if self._is_joined else half_ns
        late_ns = self.end_ns - packet.at_ns
        if late_ns > slack_ns:
            self._note_late(packet)
            return []
        pieces = [] if late_ns > -slack_ns else list(self._silent(packet.at_ns))
        self._is_joined = True
        pieces.append(self._piece(packet.data, packet.revision))
        return pieces

    def reach(self, until_ns: int) -> list[AudioPiece]:
        """Return what is missing up to a picture, once that is sure to be missing."""
        self._reached_ns = until_ns
        lag_ns = until_ns - self.end_ns
        if self._is_heard and lag_ns < self._patience_ns:
            return []
        self._is_heard = self._is_joined = False
        return list(self._silent(until_ns))

    def _note_late(self, packet: AudioPacket) -> None:
        """Wait longer from now on, if this came to a line that was silent for it."""
        self._is_joined = False
        late_ns = self._reached_ns - packet.at_ns + _PATIENCE_STEP_NS
        self._patience_ns = min(
            max(self._patience_ns, late_ns), max(_MOST_PATIENCE_NS, self._patience_ns)
        )

    def _silent(self, until_ns: int) -> Iterator[AudioPiece]:
        if until_ns - self.end_ns > _MOST_SILENCE_NS:
            start_ns = until_ns - _MOST_SILENCE_NS - self._origin_ns
            pieces = start_ns * self.shape.rate_hz // (NS_PER_S * PACKET_SAMPLES)
            self._samples = pieces * PACKET_SAMPLES
        # Half a packet less is as near as half a packet more.
        while until_ns - self.end_ns > self.piece_ns // 2:
            yield self._piece(self._silence, ANY_REVISION)

    def _piece(self, data: bytes, revision: int) -> AudioPiece:
        piece = AudioPiece(self._samples, data, revision)
        self._samples += PACKET_SAMPLES
        return piece
