"""``/streams/{name}/hls/…``: playlists, init segments, segments and their parts."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from ooblexd.control.hls.packager import Packager
from ooblexd.control.hls.playlist import (
    SOUND,
    describe_sound,
    format_multivariant,
    format_playlist,
)
from ooblexd.control.muxing import load_muxer
from ooblexd.control.pictures import find_feed
from ooblexd.control.problems import ProblemError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from ooblexd.control.hls.timeline import Part, Timeline
    from ooblexd.control.protocol import Protocol
    from ooblexd.control.streams import Streams

PLAYLIST = "application/vnd.apple.mpegurl"
VIDEO = "video/mp4"
BEGIN_WITHIN_S = 3.0
SOUND_WITHIN_S = 2.0  # of a source that has any
RELOAD_WITHIN_S = 6.0  # three target durations, as HLS has it
_AHEAD = 2  # segments that may be asked for before they are there
_NO_STORE = {"Cache-Control": "no-store"}
_INIT = re.compile(r"(sound\.)?init\.(\d{1,18})\.mp4")
_MEDIA = re.compile(r"(sound\.)?(\d{1,18})(?:\.(\d{1,6}))?\.m4s")
_SESSION = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Hls:
    """The playlists of all streams, and whoever makes what they name.

    What is in a query beside our own words is passed over: players and proxies add to
    it, and HLS reserves words that are not known yet.

    Args:
        streams: Where the pictures are.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._packagers: dict[str, Packager] = {}

    async def index(self, request: Request) -> Response:
        """Answer with the playlist that a player begins with."""
        name = request.path_params["name"]
        packager = await self.packager_of(name)
        await _await_segment(packager, packager.timeline, name)
        # Who is not told of sound now is never; what is missing is silent before long.
        await packager.await_news(lambda: not packager.sound.is_pending, SOUND_WITHIN_S)
        session = secrets.token_urlsafe(9)
        shape = packager.sound.shape
        sound = describe_sound(shape.channels) if shape else []
        text = format_multivariant(packager.timeline, session, sound)
        return Response(text, 200, _NO_STORE, PLAYLIST)

    async def live(self, request: Request) -> Response:
        """Answer with the playlist of parts, once it has what is asked for."""
        packager = await self.packager_of(request.path_params["name"])
        session = request.query_params.get("session", "")
        if not _SESSION.fullmatch(session):
            session = request.client.host if request.client else ""
        packager.audience.note(session)
        return await self._playlist(request, packager, packager.timeline)

    async def sound(self, request: Request) -> Response:
        """Likewise with that of sound."""
        packager = await self.packager_of(request.path_params["name"])
        timeline = packager.sound.timeline
        return await self._playlist(request, packager, timeline, SOUND)

    async def _playlist(
        self, request: Request, packager: Packager, timeline: Timeline, prefix: str = ""
    ) -> Response:
        name = request.path_params["name"]
        number = _directive(request, "_HLS_msn")
        index = _directive(request, "_HLS_part")
        if number is None and index is not None:
            raise _bad("_HLS_part", "needs _HLS_msn")
        packager.note_use()
        if number is None:
            # Longer than at first: ffmpeg never asks again for what it was denied once.
            await _await_segment(packager, timeline, name, RELOAD_WITHIN_S)
        else:
            await _await_part(packager, timeline, name, (number, index))
        text = format_playlist(timeline, prefix)
        return Response(text, 200, _NO_STORE, PLAYLIST)

    async def packager_of(self, name: str) -> Packager:
        """Return who makes the HLS of a stream; it begins if it has not.

        Raises:
            ProblemError: 404 where there is no such stream, 503 where it is off.
        """
        find_feed(self._streams, name)
        if name not in self._packagers:
            await load_muxer()
        packager = self._packagers.get(name)
        if packager is None:
            feed, audio = self._streams.video(name), self._streams.audio(name)
            if feed is None or audio is None:
                raise ProblemError(404, f"there is no stream {name}")
            packager = Packager(feed, audio, lambda: self._forget(name))
            self._packagers[name] = packager
        packager.note_use()
        return packager

    def _forget(self, name: str) -> None:
        self._packagers.pop(name, None)


class HlsFiles:
    """What the playlists name, as plain ASGI.

    Args:
        hls: Who makes it.
    """

    def __init__(self, hls: Hls) -> None:
        self._hls = hls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send an init segment, a segment or a part."""
        request = Request(scope, receive)
        name, file = request.path_params["name"], request.path_params["file"]
        init, media = _INIT.fullmatch(file), _MEDIA.fullmatch(file)
        packager = await self._hls.packager_of(name)
        found = media or init
        is_sound = found is not None and found[1] is not None
        timeline = packager.sound.timeline if is_sound else packager.timeline
        if media is not None:
            index = None if media[3] is None else int(media[3])
            parts = await _media(packager, timeline, int(media[2]), index)
            await _send(packager, parts, scope, send)
        elif init is not None:
            await _init(timeline, int(init[2]))(scope, receive, send)
        else:
            raise ProblemError(404, f"{name} has no such file; begin with index.m3u8")


async def _await_segment(
    packager: Packager,
    timeline: Timeline,
    name: str,
    within_s: float = BEGIN_WITHIN_S,
) -> None:
    """Return once there is a whole segment, which players without parts need.

    Raises:
        ProblemError: 503 where there is none for too long.
    """

    def is_there() -> bool:
        packager.withdraw()
        return timeline.has_whole

    if not await packager.await_news(is_there, within_s):
        raise _nothing(name, within_s)


async def _await_part(
    packager: Packager, timeline: Timeline, name: str, wanted: tuple[int, int | None]
) -> None:
    """Return once a playlist would name what is asked for.

    Raises:
        ProblemError: 400 where that is far ahead, 503 where it does not come.
    """
    number, index = wanted
    if number > timeline.next_part[0] + _AHEAD:
        raise _bad("_HLS_msn", f"{number} is far ahead")

    def is_there() -> bool:
        packager.withdraw()
        # Parts alone, after all else was withdrawn, are an error to hls.js, which tries
        # again a second later.
        return timeline.has(number, index) and timeline.has_whole

    if not await packager.await_news(is_there, RELOAD_WITHIN_S):
        raise _nothing(name, RELOAD_WITHIN_S)


async def _media(
    packager: Packager, timeline: Timeline, number: int, index: int | None
) -> list[Part]:
    """Return the parts of a segment, or one part, waiting for what comes next.

    Raises:
        ProblemError: 404 where it is not there, 410 where it is no more.
    """
    wanted = (number, index or 0)
    if index is not None and wanted == timeline.next_part:
        await packager.await_news(lambda: timeline.next_part > wanted, RELOAD_WITHIN_S)
    packager.withdraw()
    segment = timeline.segment(number)
    if segment is None:
        if timeline.has(number, index):
            raise ProblemError(410, "it is not there any more")
        raise ProblemError(404, "it is not there yet")
    if index is None and segment.is_complete:
        return list(segment.parts)
    if index is not None and index < len(segment.parts):
        return [segment.parts[index]]
    raise ProblemError(404, "it is not there yet")


def _init(timeline: Timeline, number: int) -> Response:
    discontinuity = timeline.discontinuity(number)
    if discontinuity is None:
        raise ProblemError(410, "it is not there any more")
    return Response(discontinuity.init, 200, _NO_STORE, VIDEO)


async def _send(
    packager: Packager, parts: list[Part], scope: Scope, send: Send
) -> None:
    """Send parts, each only if its pictures may be shown when there is room for it."""
    size = sum(len(part.data) for part in parts)
    headers = [
        (b"content-type", VIDEO.encode()),
        (b"content-length", b"%d" % size),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in parts:
        # Nothing, in order to wait until what was sent before has left the server.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        if not packager.may_send(part):
            connection: Protocol = scope["ooblexd.connection"]
            connection.transport.abort()
            return
        body = {"type": "http.response.body", "body": part.data, "more_body": True}
        await send(body)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _directive(request: Request, key: str) -> int | None:
    text = request.query_params.get(key)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise _bad(key, f"{text!r}, allowed a number")
    return int(text)


def _bad(key: str, detail: str) -> ProblemError:
    return ProblemError(
        400, f"{key}: {detail}", errors=[{"key": key, "detail": detail}]
    )


def _nothing(name: str, within_s: float) -> ProblemError:
    problem = ProblemError(503, f"{name} has no picture within {within_s:g} s")
    problem.retry_after_s = 1
    return problem
