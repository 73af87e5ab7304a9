"""Step 6: H.264 in a container, without end, for players and recorders that pull.

Each viewer has a muxer of its own (0.02 ms a picture), so that its time begins at 0 and
a gap is only a gap; where the source has been heard when the first picture is there,
sound goes beside it to the end (`pull_sound`). Pictures go from the callback that took
them out of the ring to the socket, as those of MJPEG do, by an `Outlet`.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import anyio
from starlette.requests import Request

from ooblexd.control.dialects import OURS
from ooblexd.control.mjpeg import until_the_end
from ooblexd.control.muxing import (
    join_inits,
    load_muxer,
    open_audio_mp4,
    open_audio_mpeg_ts,
    open_mp4,
    open_mpeg_ts,
    split_init,
)
from ooblexd.control.outlet import Counts, Outlet, Sounding, Waiting
from ooblexd.control.pictures import find_feed
from ooblexd.control.problems import ProblemError
from ooblexd.control.pull_sound import PulledSound
from ooblexd.control.ts_tables import Continuity, with_sound, without_tables
from ooblexd.counters import DemandWord
from ooblexd.errors import MuxerError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from starlette.types import Receive, Scope, Send

    from ooblexd.audio import AudioPacket
    from ooblexd.control.audio_feed import AudioFeed
    from ooblexd.control.protocol import Protocol
    from ooblexd.control.streams import Streams
    from ooblexd.control.video_feed import VideoFeed, VideoUnit
    from ooblexd.frame import FrameHeader
    from ooblexd.muxer import AudioMuxer, Muxer

logger = logging.getLogger(__name__)


class Kind(NamedTuple):
    """A container as it is asked for.

    Attributes:
        protocol: As the metrics name it.
        content_type: Of the answer.
        open_muxer: Opens it for pictures of a width and height.
        open_audio: Opens it for sound of a rate and channels.
        holds_one: A picture comes out when the next goes in.
        frames: Counts the pictures sent.
        dropped: Counts those that viewers were too slow for.
    """

    protocol: str
    content_type: bytes
    open_muxer: Callable[[int, int], Muxer]
    open_audio: Callable[[int, int], AudioMuxer]
    holds_one: bool
    frames: DemandWord
    dropped: DemandWord


MP4 = Kind(
    "mp4",
    b"video/mp4",
    open_mp4,
    open_audio_mp4,
    True,
    DemandWord.MP4_FRAMES,
    DemandWord.MP4_DROPPED,
)
MPEG_TS = Kind(
    "ts",
    b"video/mp2t",
    open_mpeg_ts,
    open_audio_mpeg_ts,
    False,
    DemandWord.TS_FRAMES,
    DemandWord.TS_DROPPED,
)
KINDS = (MP4, MPEG_TS)


_MOST_EARLY = 64  # packets of sound, before the first picture


class PullViewer:
    """Writes pictures and sound to a connection, while that keeps up.

    It takes and hears all that there is.

    Args:
        feed: Whose pictures.
        audio: Their sound.
        kind: In what.
        transport: Of the connection, on which the answer has begun.
        is_chunked: Each picture is a chunk of HTTP/1.1 (RFC 9112, 7.1).

    Attributes:
        has_ended: Set when the stream is gone, the daemon stops, sound is of another
            kind or, for MP4, which has one size, pictures have another.
    """

    def __init__(
        self,
        feed: VideoFeed,
        audio: AudioFeed,
        kind: Kind,
        transport: asyncio.Transport,
        *,
        is_chunked: bool,
    ) -> None:
        self.has_ended = anyio.Event()
        self._feed = feed
        self._audio = audio
        self._kind = kind
        self._transport = transport
        self._is_chunked = is_chunked
        self._muxer: Muxer | None = None
        self._size = (0, 0)
        self._held: FrameHeader | None = None  # the picture in the muxer
        self._init = b""  # goes before the first picture
        self._is_fresh = True  # the muxer has not given it yet
        self._continuity = None if kind.holds_one else Continuity()
        self._sound: PulledSound | None = None
        self._early: deque[AudioPacket] = deque(maxlen=_MOST_EARLY)
        counts = Counts(kind.frames, kind.dropped)
        self._outlet = Outlet(feed, counts, transport, self._dress)

    def take(self, unit: VideoUnit) -> None:
        """Take a picture, and send what there is room for."""
        if self.has_ended.is_set() or self._transport.is_closing():
            return
        if self._outlet.is_behind:
            self._held = None  # what it refers to was not sent
        if not self._outlet.admits(unit.header):
            return
        try:
            self._mux(unit)
            if self._sound is not None and not self._is_fresh:
                self._send_early(self._sound)
                self._send(self._sound.reach(unit.header.pts_ns))
        except MuxerError:
            logger.exception("[stream %s] a viewer is let go", self._feed.name)
            self.end()
            return
        self.look()

    def hear(self, packet: AudioPacket) -> None:
        """Take sound, and send it beside the pictures."""
        if self.has_ended.is_set() or self._transport.is_closing():
            return
        self._early.append(packet)
        if self._sound is None or self._is_fresh:
            return
        self._send_early(self._sound)
        self.look()

    def look(self) -> None:
        """Send what waits, as far as there is room and it may be shown."""
        self._outlet.look()

    def end(self) -> None:
        """End."""
        self._outlet.end()
        self.has_ended.set()

    def close(self) -> None:
        """Give back the muxer."""
        if self._sound is not None:
            self._sound.close()
        if self._muxer is not None:
            try:
                self._muxer.close()
            except MuxerError:
                logger.debug("a muxer that failed is closed", exc_info=True)

    def _mux(self, unit: VideoUnit) -> None:
        header = unit.header
        size = header.width & ~1, header.height & ~1
        if self._muxer is None:
            self._muxer, self._size = self._kind.open_muxer(*size), size
            self._open_sound(header.pts_ns)
        elif size != self._size and self._kind.holds_one:
            self.end()
            return
        data = self._muxer.mux(unit.data, header.pts_ns, is_keyframe=header.is_keyframe)
        if not self._kind.holds_one:
            self._is_fresh = False
            if self._sound is not None:
                data = with_sound(data)
            self._outlet.put(Waiting(header, data))
            return
        if data and self._is_fresh:
            self._is_fresh = False
            self._init, data = split_init(data)
            if self._sound is not None:
                self._init = join_inits(self._init, self._sound.head)
        held, self._held = self._held, header
        if held is not None:
            held_ns = header.pts_ns - held.pts_ns
            self._outlet.put(Waiting(held, data, held_ns))

    def _open_sound(self, origin_ns: int) -> None:
        """Have sound go beside the pictures, if the source is heard by now."""
        shape = self._audio.aac_shape
        if shape is not None:
            muxer = self._kind.open_audio(*shape)
            dress = _as_it_is if self._kind.holds_one else without_tables
            self._sound = PulledSound(self._audio, muxer, shape, origin_ns, dress)

    def _send_early(self, sound: PulledSound) -> None:
        """Send the sound that came before what it is to be beside of."""
        while self._early:
            packet = self._early.popleft()
            if not sound.is_like(packet):
                self.end()
                return
            self._send(sound.put(packet))

    def _send(self, sounding: Iterable[Sounding]) -> None:
        for one in sounding:
            self._outlet.put(one)

    def _dress(self, piece: Waiting | Sounding) -> bytes:
        data, self._init = self._init + piece.data, b""
        if self._continuity is not None:
            data = self._continuity.counted(data)
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data


class PullEndpoint:
    """``GET /streams/{name}/stream.ts`` and ``stream.mp4``, as plain ASGI.

    Args:
        streams: Where the pictures are.
        kind: In what they are sent.
    """

    def __init__(self, streams: Streams, kind: Kind) -> None:
        self._streams = streams
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send pictures until the viewer leaves or the stream is gone."""
        request = Request(scope)
        name = request.path_params["name"]
        find_feed(self._streams, name)
        OURS.check_query(request)
        feed, audio = self._streams.video(name), self._streams.audio(name)
        if feed is None or audio is None:
            raise ProblemError(404, f"there is no stream {name}")
        headers = [
            (b"content-type", self._kind.content_type),
            (b"cache-control", b"no-store, no-transform"),
            (b"x-accel-buffering", b"no"),  # a proxy must not collect pictures
        ]
        await load_muxer()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            # Uvicorn sends the head with the first of the body.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await self._watch((feed, audio), scope, receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(
        self, feeds: tuple[VideoFeed, AudioFeed], scope: Scope, receive: Receive
    ) -> None:
        feed, audio = feeds
        connection: Protocol = scope["ooblexd.connection"]
        is_chunked = scope["http_version"] >= "1.1"
        transport = connection.transport
        viewer = PullViewer(feed, audio, self._kind, transport, is_chunked=is_chunked)
        connection.on_room = viewer.look
        feed.viewers[self._kind.protocol] += 1
        try:
            with audio.joined(viewer, as_aac=True), feed.joined(viewer):
                await until_the_end(viewer.has_ended, receive)
        finally:
            connection.on_room = None
            feed.viewers[self._kind.protocol] -= 1
            viewer.close()


def _as_it_is(data: bytes) -> bytes:
    return data
