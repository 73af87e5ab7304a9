"""Packets become pictures, each when somebody wants it.

Where nobody looks, packets wait: a keyframe takes the place of all that wait before it,
and whoever comes has the rest decoded at once. They never grow to more than what is
decoded in a tenth of a second, and a keyframe a second is decoded anyway, so that what
arrives is known to be pictures. So a camera that nobody watches costs a picture a
second, where its keyframes are close enough, and its first viewer waits no longer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import av

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.errors import BadPictureError, SourceUnavailableError
from ooblexd.pixels import Planes, copy_planes
from ooblexd.sources.keyframes import Keyframes
from ooblexd.sources.picture import (
    DecodedPicture,
    is_full_range,
    matrix_of,
    picture_of,
)
from ooblexd.sources.reasons import without_secrets

if TYPE_CHECKING:
    from ooblexd.frame import Matrix
    from ooblexd.sources.options import SourceOptions

CATCH_UP_NS = 100 * NS_PER_MS
_MOST_WAITING = 256  # packets, should they cost nothing
_MOST_BYTES = 8 << 20  # of packets; of one alone more
_PROOF_NS = 9 * NS_PER_S // 10  # less than a second, which keyframes may well be apart
_FAILURES_IN_A_ROW = 10
_REORDERED = 32  # more packets than any decoder holds back
_COST_SHARE = 16


class _Arrival(NamedTuple):
    packet: av.Packet[av.VideoStream]
    at_ns: int
    number: int
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture that arrived, decoded or not.

    Attributes:
        frame: None while its packet waits.
        pts: In the stream's units; None where the stream does not say.
        arrival_ns: Monotonic time at which its packet came.
    """

    decoder: Decoder
    frame: av.VideoFrame | None
    pts: int | None
    arrival_ns: int
    number: int

    def as_picture(
        self, *, pts_ns: int, capture_ns: int, decoded_ns: int
    ) -> DecodedPicture | WaitingPicture:
        """Return what the rest of the daemon knows a picture by."""
        if self.frame is not None:
            return picture_of(
                self.frame, pts_ns=pts_ns, capture_ns=capture_ns, decoded_ns=decoded_ns
            )
        like = self.decoder.newest_frame()
        return WaitingPicture(
            taken=self,
            width=like.width,
            height=like.height,
            full_range=is_full_range(like),
            matrix=matrix_of(like),
            pts_ns=pts_ns,
            capture_ns=capture_ns,
            decoded_ns=decoded_ns,
        )


@dataclass(frozen=True, slots=True)
class WaitingPicture:
    """A `ooblexd.sources.Picture` that is decoded when its samples are asked for.

    Any thread may ask. The newest that has come is what it gets: no older than it says.

    Attributes:
        decoded_ns: When its packet was there.
    """

    taken: Taken
    width: int
    height: int
    full_range: bool
    matrix: Matrix
    pts_ns: int
    capture_ns: int
    decoded_ns: int

    def copy_to(self, planes: Planes) -> None:
        """Write the picture as I420 into ``planes``, which have its size.

        Raises:
            BadPictureError: It cannot be decoded, or is not what those before it were.
        """
        copy_planes(self.planes(), planes)

    def planes(self) -> Planes:
        """Decode the picture and lend its planes.

        Raises:
            BadPictureError: It cannot be decoded, or is not what those before it were.
        """
        picture = picture_of(
            self.taken.decoder.frame_since(self.taken.number),
            pts_ns=self.pts_ns,
            capture_ns=self.capture_ns,
            decoded_ns=self.decoded_ns,
        )
        kind = (picture.width, picture.height, picture.full_range, picture.matrix)
        if kind != (self.width, self.height, self.full_range, self.matrix):
            raise BadPictureError("the pictures have changed since the last one")
        return picture.planes()


class Decoder:
    """The decoder of one stream, and what waits for it.

    One thread gives it packets; any may ask for the newest picture.

    Args:
        codec: Of the stream.
        options: Say whether somebody looks, and what time it is.
        damage: What to say of packets that cannot be decoded.

    Attributes:
        is_synced: A picture was there: a keyframe, or one that needs none.
    """

    def __init__(
        self,
        codec: av.VideoCodecContext,
        options: SourceOptions,
        damage: str = "what arrives cannot be decoded",
    ) -> None:
        self._codec = codec
        self._keyframes = Keyframes(codec)
        self._options = options
        self._damage = damage
        self._lock = threading.Lock()
        self._waiting: list[_Arrival] = []
        self._has_gap = False
        self._arrivals: dict[int | None, _Arrival] = {}
        self._number = 0
        self._told = 0  # the newest number that was given out before it was decoded
        self._newest: tuple[int, av.VideoFrame] | None = None
        self._decoded_ns = 0
        self._cost_ns = 0.0  # of a packet that is no keyframe; 0 until one came
        self._failures = 0
        self._failure: av.FFmpegError | None = None
        self.is_synced = False

    def take(
        self,
        packet: av.Packet[av.VideoStream],
        arrival_ns: int,
        *,
        is_wanted: bool = True,
    ) -> list[Taken]:
        """Take the packet that came, and return the pictures that are there by it.

        Args:
            packet: The next one of the stream; an empty one ends it.
            arrival_ns: When it came.
            is_wanted: Its picture is; one that is not counts for those after it alone.

        Raises:
            SourceUnavailableError: Nothing that came could be decoded.
        """
        with self._lock:
            if self._waiting and self.begins_anew(packet):
                self._waiting.clear()
                self._has_gap = True
            self._number += 1
            arrival = _Arrival(packet, arrival_ns, self._number, is_wanted)
            self._waiting.append(arrival)
            if self._may_wait(packet):
                self._told = self._number
                waiting = Taken(self, None, packet.pts, arrival_ns, self._number)
                return [waiting] if is_wanted else []
            taken = [one for one in self._decode_waiting() if one.number > self._told]
            if self._failures >= _FAILURES_IN_A_ROW:
                raise SourceUnavailableError(self._damage) from self._failure
            return taken

    def begins_anew(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Say whether ``packet`` needs nothing that came before it."""
        return self._keyframes.begins_anew(packet)

    def leave_out(self) -> None:
        """Know that packets are missing before the next one."""
        with self._lock:
            self._waiting.clear()
            self._has_gap, self.is_synced = True, False

    @property
    def cost_ns(self) -> float:
        """What decoding a packet that is no keyframe takes; 0 until there was one."""
        return self._cost_ns

    @property
    def is_reordering(self) -> bool:
        """Whether pictures come in another order than they are shown in."""
        return bool(self._codec.has_b_frames)

    def newest_frame(self) -> av.VideoFrame:
        """Return the frame that was decoded last; there must have been one."""
        assert self._newest is not None
        return self._newest[1]

    def frame_since(self, number: int) -> av.VideoFrame:
        """Decode what waits, and return the newest frame.

        Raises:
            BadPictureError: None came out that is as new as ``number``.
        """
        with self._lock:
            self._decode_waiting()
            if self._newest is None or self._newest[0] < number:
                raise BadPictureError(self._damage)
            return self._newest[1]

    def _may_wait(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Say whether what waits is cheap enough to be decoded when somebody comes."""
        if not self.is_synced or not packet.size or self.is_reordering:
            return False  # of reordered pictures it is not known which one comes next
        count = len(self._waiting)
        is_alone = count == 1 and packet.is_keyframe
        if is_alone and self._options.now_ns() - self._decoded_ns >= _PROOF_NS:
            return False
        is_cheap = 0 < count * self._cost_ns <= CATCH_UP_NS
        size = sum(one.packet.size for one in self._waiting)
        is_small = count <= _MOST_WAITING and size <= _MOST_BYTES
        may_wait = is_alone or (is_cheap and is_small)
        return may_wait and self._options.is_unwanted()

    def _decode_waiting(self) -> list[Taken]:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        if self._has_gap:
            self._has_gap = self.is_synced = False
            self._codec.flush_buffers()
        taken = []
        for arrival in waiting:
            start_ns = self._options.now_ns()
            taken += self._decode(arrival)
            self._decoded_ns = self._options.now_ns()
            if not arrival.packet.is_keyframe:
                self._note_cost(self._decoded_ns - start_ns)
        return taken

    def _note_cost(self, cost_ns: int) -> None:
        share = _COST_SHARE if self._cost_ns else 1
        self._cost_ns += (cost_ns - self._cost_ns) / share

    def _decode(self, arrival: _Arrival) -> list[Taken]:
        packet = arrival.packet
        # A picture that nobody wants and no other one refers to is passed over.
        self._codec.skip_frame = "DEFAULT" if arrival.is_wanted else "NONREF"
        self._arrivals[packet.pts] = arrival
        while len(self._arrivals) > _REORDERED:
            del self._arrivals[next(iter(self._arrivals))]
        try:
            frames = self._codec.decode(packet)
        except av.FFmpegError as exc:
            # Before the first keyframe a decoder may well complain.
            self._failures += self.is_synced or packet.is_keyframe
            self._failure = without_secrets(exc)
            return []
        taken = []
        for frame in frames:
            self._failures = 0
            self.is_synced = self.is_synced or frame.key_frame or not frame.is_corrupt
            of = self._arrivals.pop(frame.pts, arrival)
            if self.is_synced:
                self._newest = (of.number, frame)
            if self.is_synced and of.is_wanted:
                taken.append(Taken(self, frame, frame.pts, of.at_ns, of.number))
        return taken
