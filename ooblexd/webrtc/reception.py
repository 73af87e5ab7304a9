"""What aiortc receives, taken out of it as soon as it is whole, and not decoded there.

aiortc 1.16 hands a picture over when the next begins, decodes all that comes in a
thread of its own, and puts the result into a queue that grows without bound where
nobody reads it. Here a picture leaves the jitter buffer with its last packet, still
encoded, and nothing waits inside. All of it replaces private names, on the receiver of
one session; `check_reception` tries with packets made up whether it still does what it
is meant to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_add, uint16_gt

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.errors import OfferError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from aiortc import RTCRtpReceiver
    from aiortc.rtp import AnyRtcpPacket

PATIENCE_NS = 300 * NS_PER_MS
"""For a packet that is missing: time for two attempts to have it sent again, mostly."""

KEYFRAME_EVERY_NS = 500 * NS_PER_MS
"""At most one keyframe is asked for in this time: each costs what several others do."""

_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_PACKETS = 512
_LAYER_ENDS_NS = NS_PER_S


class Frame(JitterFrame):
    """A picture out of the jitter buffer.

    Attributes:
        payload_type: Of its packets: tells the codec.
        is_after_gap: A packet that came before it was lost.
    """

    def __init__(self, packets: list[RtpPacket], *, is_after_gap: bool) -> None:
        super().__init__(b"".join(map(_data, packets)), packets[0].timestamp)
        self.payload_type = packets[0].payload_type
        self.is_after_gap = is_after_gap


class MarkerJitterBuffer(JitterBuffer):
    """A jitter buffer that hands a picture over with its last packet.

    That one has the marker bit (RFC 6184, 5.1; RFC 7741, 4.2). What is missing is
    waited for as before, and a picture whose end has no marker comes when the next one
    begins.
    """

    def __init__(self) -> None:
        super().__init__(capacity=_PACKETS, is_video=True)
        self._next: int | None = None  # sequence number after what was handed over

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        del sequence_number
        self._pass_over_padding()
        packets: list[RtpPacket] = []
        for packet in self._in_order():
            if packets and packet.timestamp != packets[0].timestamp:
                return self._hand_over(packets)
            packets.append(packet)
            if packet.marker:
                return self._hand_over(packets)
        return None

    def _in_order(self) -> Iterator[RtpPacket]:
        """Yield what is there up to the first packet that is missing."""
        assert self._origin is not None, "a packet has come"
        for count in range(self.capacity):
            packet = self._packets[(self._origin + count) % self.capacity]
            if packet is None:
                return
            yield packet

    def _pass_over_padding(self) -> None:
        """Drop packets without content, by which browsers measure the network."""
        while (packet := next(self._in_order(), None)) and not _data(packet):
            is_next = self._next in (None, packet.sequence_number)
            self.remove(1)
            self._next = self._origin if is_next else self._next

    def _hand_over(self, packets: list[RtpPacket]) -> Frame:
        first = packets[0].sequence_number
        is_after_gap = self._next not in (None, first)
        self.remove(len(packets))
        self._next = self._origin
        return Frame(packets, is_after_gap=is_after_gap)


class Tap(MarkerJitterBuffer):
    """A jitter buffer that gives pictures to us and none to aiortc's decoder.

    It also gives up what does not come: aiortc would wait until 512 packets are there,
    two seconds of a usual publisher.

    Args:
        on_frame: Called with each picture.
        now_ns: The monotonic clock.
    """

    def __init__(
        self, on_frame: Callable[[Frame], None], now_ns: Callable[[], int]
    ) -> None:
        super().__init__()
        self._on_frame = on_frame
        self._now_ns = now_ns
        self._newest: int | None = None
        self._hole_since_ns = 0  # 0: nothing is missing

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; say whether only a keyframe helps, and never a picture."""
        number, newest = packet.sequence_number, self._newest
        needs_keyframe, found = super().add(packet)
        while isinstance(found, Frame):
            self._on_frame(found)
            found = self._remove_frame(number)
        if newest is None or uint16_gt(number, newest):
            self._newest = number
            is_gap = newest is not None and number != uint16_add(newest, 1)
            if is_gap and not self._hole_since_ns:
                self._hole_since_ns = self._now_ns()
        if self._hole_since_ns:
            needs_keyframe = self._look_at_hole() or needs_keyframe
        return needs_keyframe, None

    def _look_at_hole(self) -> bool:
        """Give up what is there once the rest has been missing for long."""
        assert self._origin is not None, "a packet has come"
        assert self._newest is not None, "likewise"
        waiting = uint16_add(self._newest, 1 - self._origin)
        if waiting > self.capacity:  # all has been handed over, or is on its way out
            waiting = 0
        if waiting == sum(1 for _ in self._in_order()):
            self._hole_since_ns = 0
            return False
        if self._now_ns() - self._hole_since_ns < PATIENCE_NS:
            return False
        self.remove(waiting)
        self._hole_since_ns = 0
        return True


class SoundTap(JitterBuffer):
    """A jitter buffer that gives sound to us and none to aiortc's decoder.

    A packet that is overtaken is left out: to wait for it would delay all.

    Args:
        on_sound: Called with the type, the RTP time and the payload of each packet.
    """

    def __init__(self, on_sound: Callable[[int, int, bytes], None]) -> None:
        super().__init__(capacity=1)
        self._on_sound = on_sound
        self._newest: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet, and never give a frame."""
        number = packet.sequence_number
        if self._newest is None or uint16_gt(number, self._newest):
            self._newest = number
            self._on_sound(packet.payload_type, packet.timestamp, _data(packet))
        return False, None


class VideoReception:
    """The pictures that one publisher sends.

    Of several layers (simulcast), which the answer has declined, the first is taken.

    Args:
        receiver: That has not begun.
        on_frame: Called with each picture as soon as it is whole.
        on_packet: Called whenever anything comes.
        now_ns: The monotonic clock.

    Attributes:
        media_types: Payload types of pictures, not of what is sent again; to be set
            when they are known.

    Raises:
        OfferError: This aiortc is another one than we know.
    """

    def __init__(
        self,
        receiver: RTCRtpReceiver,
        on_frame: Callable[[Frame], None],
        on_packet: Callable[[], None],
        now_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        receive_into(receiver, Tap(on_frame, now_ns))
        self.media_types: Collection[int] = ()
        self._on_packet = on_packet
        self._now_ns = now_ns
        self._ssrc = 0
        self._heard_ns = 0
        self._asked_ns = 0
        self._asking: set[asyncio.Task[None]] = set()
        theirs: Any = receiver  # names that are nobody's but aiortc's
        self._take_rtp = theirs._handle_rtp_packet  # noqa: SLF001 # as the module says
        self._take_rtcp = theirs._handle_rtcp_packet  # noqa: SLF001 # likewise
        self._ask = theirs._send_rtcp_pli  # noqa: SLF001 # likewise
        theirs._handle_rtp_packet = self._note_rtp  # noqa: SLF001 # likewise
        theirs._handle_rtcp_packet = self._note_rtcp  # noqa: SLF001 # likewise
        theirs._send_rtcp_pli = self._ask_for_keyframe  # noqa: SLF001 # likewise

    def want_keyframe(self) -> None:
        """Ask for a picture that needs no other one (PLI, RFC 4585), if it is time."""
        if self._ssrc:
            task = asyncio.ensure_future(self._ask_for_keyframe(self._ssrc))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _note_rtp(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self._on_packet()
        if packet.payload_type in self.media_types:
            now_ns = self._now_ns()
            has_ended = now_ns - self._heard_ns > _LAYER_ENDS_NS
            if packet.ssrc != self._ssrc and not has_ended:
                return
            self._ssrc, self._heard_ns = packet.ssrc, now_ns
        await self._take_rtp(packet, arrival_time_ms=arrival_time_ms)

    async def _note_rtcp(self, packet: AnyRtcpPacket) -> None:
        self._on_packet()
        await self._take_rtcp(packet)

    async def _ask_for_keyframe(self, media_ssrc: int) -> None:
        now_ns = self._now_ns()
        if now_ns - self._asked_ns >= KEYFRAME_EVERY_NS:
            self._asked_ns = now_ns
            await self._ask(media_ssrc)


def receive_into(receiver: RTCRtpReceiver, buffer: JitterBuffer) -> None:
    """Have a receiver that has not begun use ``buffer``.

    Raises:
        OfferError: This aiortc is another one than we know.
    """
    if not hasattr(receiver, _BUFFER):
        raise _unknown_aiortc()
    setattr(receiver, _BUFFER, buffer)


def deliver_by_marker(receiver: RTCRtpReceiver) -> None:
    """Have a receiver that has not begun decode pictures without waiting for the next.

    Raises:
        OfferError: This aiortc is another one than we know.
    """
    receive_into(receiver, MarkerJitterBuffer())


def check_reception() -> None:
    """Try with packets made up whether pictures leave the buffer when they are whole.

    Raises:
        OfferError: This aiortc is another one than we know.
    """
    found: list[Frame] = []
    tap = Tap(found.append, lambda: 1)
    for number, has_ended in ((65535, False), (1, True), (0, False), (2, True)):
        timestamp = 3000 if number == 2 else 0  # noqa: PLR2004 # the second picture
        packet = RtpPacket(
            payload_type=96,
            marker=int(has_ended),
            sequence_number=number,
            timestamp=timestamp,
        )
        packet._data = b"%d" % number  # type: ignore[attr-defined] # noqa: SLF001 # as the receiver does
        tap.add(packet)
    if [frame.data for frame in found] != [b"6553501", b"2"]:
        raise _unknown_aiortc()


def _unknown_aiortc() -> OfferError:
    return OfferError("pictures cannot be taken out of this version of aiortc")


def _data(packet: RtpPacket) -> bytes:
    """Return what the receiver took out of a packet's payload."""
    return bytes(getattr(packet, "_data", b""))
