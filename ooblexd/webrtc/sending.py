"""Packets of RTP on their way to one viewer, in as few steps each as Python allows.

aiortc's own loop cuts each picture into payloads for each viewer, and reads the clock
twice and builds four objects for each packet: most of what a further viewer costs
(``tools/bench webrtc``). Here a picture is cut once for all viewers, and what its
packets have in common is written once. Nothing else differs: the same packets leave, a
lost one is sent again by aiortc, and its reports count what is sent here.

It stands in for a method of aiortc 1.14 to 1.16 that has no public name; with another
aiortc that keeps its state elsewhere, that method does the work as ever.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from struct import Struct
from typing import TYPE_CHECKING, Any

from aiortc import clock
from aiortc.codecs import get_encoder
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RTP_HISTORY_SIZE, HeaderExtensions, RtpPacket

if TYPE_CHECKING:
    import av
    from aiortc import RTCRtpCodecParameters, RTCRtpSender
    from aiortc.codecs.base import Encoder
    from av.stream import Stream

logger = logging.getLogger(__name__)

_STATE = "_RTCRtpSender__"
_NAMES = (
    *("track", "mid", "rtp_header_extensions_map", "rtp_history"),
    *("rtp_started", "rtp_exited"),
    *("ntp_timestamp", "rtp_timestamp", "octet_count", "packet_count"),
)
_HEADER = Struct("!BBHLL")  # RFC 3550, 5.1
_EXTENSION = Struct("!HH")  # RFC 8285, 4.2
_VERSION, _HAS_EXTENSION, _MARKER = 0x80, 0x10, 0x80
_NUMBERS, _TIMES = 1 << 16, 1 << 32
_FIRST = 1 << 15  # numbers begin in the lower half: SRTP loses its count at an overflow


class Packing:
    """Cuts pictures into payloads, each once for all viewers that get it."""

    def __init__(self) -> None:
        self._encoders: dict[str, Encoder] = {}
        self._packet: av.Packet[Stream] | None = None
        self._cut: tuple[list[bytes], int] = ([], 0)

    def cut(
        self, codec: RTCRtpCodecParameters, packet: av.Packet[Stream]
    ) -> tuple[list[bytes], int]:
        """Return the payloads of a picture, and its time in the codec's units.

        Args:
            codec: What the viewer decodes.
            packet: The picture, in that codec.
        """
        if packet is not self._packet:
            name = codec.mimeType.lower()
            if name not in self._encoders:
                self._encoders[name] = get_encoder(codec)
            self._cut = self._encoders[name].pack(packet)
            self._packet = packet
        return self._cut


def send_packed(sender: RTCRtpSender, packing: Packing) -> None:
    """Have a sender whose track gives packets send them as this module does.

    Args:
        sender: Which has not begun to send.
        packing: Shared by all senders of the same pictures.
    """
    missing = [name for name in _NAMES if not hasattr(sender, _STATE + name)]
    if missing:
        logger.debug("this aiortc sends otherwise: it has no %s", ", ".join(missing))
        return
    theirs: Any = sender  # names that are nobody's but aiortc's
    theirs._run_rtp = _Sending(theirs, packing).run  # noqa: SLF001 # what this is for


class _Sending:
    """What a sender does from its first packet to its last."""

    def __init__(self, sender: Any, packing: Packing) -> None:
        self._sender = sender
        self._packing = packing
        self._sequence = secrets.randbelow(_FIRST)
        self._origin = secrets.randbelow(_TIMES)

    async def run(self, codec: RTCRtpCodecParameters) -> None:
        """Send what the track gives until that ends, or nobody is there any more."""
        sender, track = self._sender, self._state("track")
        self._state("rtp_started").set()
        try:
            while True:
                packet = await track.recv()
                if sender._enabled:  # noqa: SLF001 # what this is for
                    await self._send(codec, packet)
        except (asyncio.CancelledError, ConnectionError, MediaStreamError):
            pass  # as aiortc does: who stops a sender waits for the event below
        finally:
            track.stop()
            self._note("track", None)
            self._state("rtp_exited").set()

    async def _send(
        self, codec: RTCRtpCodecParameters, packet: av.Packet[Stream]
    ) -> None:
        """Send a picture; nothing else runs until it has left."""
        payloads, ticks = self._packing.cut(codec, packet)
        sender, payload_type = self._sender, codec.payloadType or 0
        timestamp = (self._origin + ticks) % _TIMES
        extensions = HeaderExtensions(mid=self._state("mid"))
        now = clock.current_ntp_time()
        extensions.abs_send_time = (now >> 14) & 0xFFFFFF
        profile, block = self._state("rtp_header_extensions_map").set(extensions)
        flags = _VERSION
        if block:
            flags |= _HAS_EXTENSION
            block = _EXTENSION.pack(profile, len(block) // 4) + block
        history = self._state("rtp_history")
        ssrc = sender._ssrc  # noqa: SLF001 # likewise
        send = sender.transport._send_rtp  # noqa: SLF001 # likewise
        for left, payload in zip(range(len(payloads))[::-1], payloads, strict=True):
            kind = payload_type if left else payload_type | _MARKER
            sequence, self._sequence = self._sequence, (self._sequence + 1) % _NUMBERS
            sent = RtpPacket(payload_type, not left, sequence, timestamp, ssrc, payload)
            sent.extensions = extensions
            history[sequence % RTP_HISTORY_SIZE] = sent
            header = _HEADER.pack(flags, kind, sequence, timestamp, ssrc)
            await send(header + block + payload)
        self._note("ntp_timestamp", now)
        self._note("rtp_timestamp", timestamp)
        self._note("octet_count", self._state("octet_count") + sum(map(len, payloads)))
        self._note("packet_count", self._state("packet_count") + len(payloads))

    def _state(self, name: str) -> Any:
        return getattr(self._sender, _STATE + name)

    def _note(self, name: str, value: Any) -> None:
        setattr(self._sender, _STATE + name, value)
