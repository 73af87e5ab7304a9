"""What a player asks by RTSP, and what it is told: one connection.

An answer waits until the pictures before it have left, and nothing more is heard
meanwhile: whoever asks and does not read costs nothing more. Players say something each
30 s, but who does not is not thrown out: as long as somebody reads, it is there.

Source: RFC 2326, 10 and 12.
"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from typing import TYPE_CHECKING

import anyio

from ooblexd.clock import monotonic_ns
from ooblexd.control.muxing import load_muxer
from ooblexd.control.rtsp_sound import PlayedSound
from ooblexd.control.rtsp_viewer import RtspViewer
from ooblexd.publishing.rtsp import Request, path_of
from ooblexd.rtp import PAYLOAD_TYPE, RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from ooblexd.control.streams import Streams
    from ooblexd.control.video_feed import VideoFeed
    from ooblexd.publishing.rtsp import RtspReader
    from ooblexd.rtp import AudioPacketiser, ParameterSets, Track

PROTOCOL = "rtsp"
PICTURE_WITHIN_S = 3.0
_PLAYS_WITHIN_S = 10.0
_LAYOUT_WITHIN_S = 2.0  # after control has begun
_APART_S = 0.01  # between two requests, or pieces of what one player says
_CHUNK_BYTES = 4096
_MOST_CHANNEL = 254  # the next one has the reports
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_TIMEOUT_S = 60  # players say something twice in that
_PICTURES, _SOUND = "0", "1"  # the tracks
_TRACK = re.compile(r"trackID=(\d+)/?$")
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})")


class PlayerProtocol(asyncio.StreamReaderProtocol):
    """Tells a viewer of room; it is made before who views.

    Args:
        stream: What the player says.
    """

    def __init__(self, stream: asyncio.StreamReader) -> None:
        super().__init__(stream)
        self.stream = stream
        self.viewer: RtspViewer | None = None

    def resume_writing(self) -> None:
        """Have the viewer send what has waited."""
        super().resume_writing()
        if self.viewer is not None:
            self.viewer.look()


class Conversation:
    """One player's: it asks, and is answered in turn.

    Args:
        streams: What may be played.
        protocol: Of the connection.
        transport: Likewise.
        stack: Has to be left once it is over.
    """

    def __init__(
        self,
        streams: Streams,
        protocol: PlayerProtocol,
        transport: asyncio.Transport,
        stack: ExitStack,
    ) -> None:
        self._streams = streams
        self._protocol = protocol
        self._transport = transport
        self._stack = stack
        loop = asyncio.get_running_loop()
        self._writer = asyncio.StreamWriter(transport, protocol, protocol.stream, loop)
        self._session = f"{secrets.token_hex(8)};timeout={_TIMEOUT_S}"
        self._url = ""
        self._feed: VideoFeed | None = None
        self._viewer: RtspViewer | None = None
        self._channel = -1
        self._plays = False

    async def hold(
        self, first: Request, reader: RtspReader, on_play: Callable[[], None]
    ) -> None:
        """Answer all that is asked, until either side ends it."""
        with anyio.move_on_after(_PLAYS_WITHIN_S) as scope:
            await self._answer(first)
            data = b""
            while True:
                for found in reader.read(data):
                    if not isinstance(found, Request):
                        continue  # reports of what arrived
                    if not await self._answer(found):
                        return
                    if self._plays and scope.deadline != math.inf:
                        scope.deadline = math.inf
                        on_play()
                    await anyio.sleep(_APART_S)
                data = await self._protocol.stream.read(_CHUNK_BYTES)
                if not data:
                    return
                await anyio.sleep(_APART_S)

    async def refuse(self, request: Request, status: int, reason: str) -> None:
        """Say why not."""
        await self._say(request, status, f"X-Reason: {reason}")

    async def _answer(self, request: Request) -> bool:
        """Do what is asked; say whether more may be."""
        match request.method:
            case "OPTIONS":
                await self._say(request, 200, f"Public: {_METHODS}")
            case "DESCRIBE" if not self._plays:
                await self._describe(request)
            case "SETUP" if self._viewer is not None and not self._plays:
                await self._set_up(request)
            case "PLAY" if self._viewer is not None and self._taken():
                await self._play(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                await self._say(request, 200, f"Session: {self._session}")
            case "TEARDOWN":
                await self._say(request, 200)
                return False
            case "DESCRIBE" | "SETUP" | "PLAY":
                await self._say(request, 455)
            case _:
                await self._say(request, 405, f"Allow: {_METHODS}")
        return True

    async def _describe(self, request: Request) -> None:
        name = path_of(request.url)
        with anyio.move_on_after(_LAYOUT_WITHIN_S):
            await self._streams.laid_out.wait()
        feed, audio = self._streams.video(name), self._streams.audio(name)
        if feed is None or audio is None:
            await self.refuse(request, 404, f"there is no stream {name}")
            return
        if name not in self._streams.enabled:
            await self.refuse(request, 503, f"{name} is switched off")
            return
        if self._viewer is not None and feed is not self._feed:
            await self._say(request, 455)
            return
        if self._viewer is None:
            await load_muxer()  # which knows what may have to be encoded
            if self._transport.is_closing():
                raise ConnectionResetError("it did not wait for the answer")
            viewer = RtspViewer(feed, self._transport)
            self._stack.enter_context(audio.joined(viewer, as_aac=True))
            self._stack.enter_context(feed.joined(viewer))
            self._feed = feed
            self._viewer = self._protocol.viewer = viewer
        with anyio.move_on_after(PICTURE_WITHIN_S):
            await self._viewer.is_described.wait()
        parameters = self._viewer.parameters
        if parameters is None:
            await self.refuse(request, 503, f"{name} has no picture yet; try again")
            return
        shape = audio.aac_shape
        if shape is not None and self._viewer.sound is None:
            self._viewer.sound = PlayedSound(shape)
        sound = self._viewer.sound
        told = _describe(name, parameters, sound.packetiser if sound else None)
        self._url = request.url.partition("?")[0].rstrip("/")
        base = f"Content-Base: {self._url}/"
        kind = "Content-Type: application/sdp"
        await self._say(request, 200, base, kind, body=told)

    async def _set_up(self, request: Request) -> None:
        offered = request.headers.get("transport", "").split(",")
        wanted = [one for one in offered if "TCP" in one.upper()]
        found = _INTERLEAVED.search(wanted[0]) if wanted else None
        asked = int(found[1]) if found else 0
        if not wanted or asked > _MOST_CHANNEL:
            await self._say(request, 461)
            return
        sound = self._viewer.sound if self._viewer else None
        track = _TRACK.search(request.url)
        number = track[1] if track else _PICTURES
        if number == _PICTURES:
            self._channel = -1
            self._channel = channel = self._free_channel(asked)
        elif number == _SOUND and sound is not None:
            sound.channel = -1
            sound.channel = channel = self._free_channel(asked)
        else:
            await self._say(request, 404)
            return
        how = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        session = f"Session: {self._session}"
        await self._say(request, 200, session, f"Transport: {how}")

    def _taken(self) -> list[int]:
        """Return the channels of the tracks that are set up."""
        sound = self._viewer.sound if self._viewer else None
        channels = (self._channel, sound.channel if sound else -1)
        return [channel for channel in channels if channel >= 0]

    def _free_channel(self, asked: int) -> int:
        """Return ``asked``, or one that is free with the next, for the reports."""
        free = (
            channel
            for channel in (asked, 0, 2, 4)
            if all(abs(channel - other) > 1 for other in self._taken())
        )
        return next(free)

    async def _play(self, request: Request) -> None:
        assert self._viewer is not None
        assert self._feed is not None
        if self._plays:
            await self._say(request, 200, f"Session: {self._session}")
            return
        tracks: dict[str, Track] = {}
        if self._channel >= 0:
            tracks[_PICTURES] = self._viewer.packetiser
        sound = self._viewer.sound
        if sound is not None and sound.channel >= 0:
            tracks[_SOUND] = sound.packetiser
        info = ",".join(
            f"url={self._url}/trackID={number};{_begins(track)}"
            for number, track in tracks.items()
        )
        await self._say(request, 200, f"Session: {self._session}", f"RTP-Info: {info}")
        self._plays = True
        viewers = self._feed.viewers
        viewers[PROTOCOL] += 1
        self._stack.callback(viewers.subtract, (PROTOCOL,))
        self._viewer.play(self._channel)

    async def _say(
        self, request: Request, status: int, *headers: str, body: str = ""
    ) -> None:
        if self._transport.is_closing():  # uvloop takes a write for a bug then
            raise ConnectionResetError("it did not wait for the answer")
        self._writer.write(request.answer(status, *headers, body=body))
        await self._writer.drain()


def _begins(track: Track) -> str:
    return f"seq={track.next_sequence};rtptime={track.first_timestamp}"


def _describe(
    name: str, parameters: ParameterSets, sound: AudioPacketiser | None
) -> str:
    audible = [*sound.describe(), f"a=control:trackID={_SOUND}"] if sound else []
    return "\r\n".join(
        [
            "v=0",
            f"o=- {monotonic_ns()} 1 IN IP4 127.0.0.1",
            f"s={name}",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=control:*",
            f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
            f"a=rtpmap:{PAYLOAD_TYPE} H264/{RATE_HZ}",
            f"a=fmtp:{PAYLOAD_TYPE} {parameters.describe()}",
            f"a=control:trackID={_PICTURES}",
            *audible,
            "",
        ]
    )
