"""RTSP as a publisher speaks it: ``ANNOUNCE``, ``SETUP``, ``RECORD``, then packets.

Its packets come over the same connection. UDP is answered with 461, upon which FFmpeg
takes TCP by itself; GStreamer's rtspclientsink needs ``protocols=tcp``. A key is given
as ``?token=``, or as the password of a login.

Where streams are played too, who says ``DESCRIBE`` is a player, and the connection goes
to `ooblexd.control.rtsp_playing`.

Source: RFC 2326, 10.3, 10.4, 10.11 and 10.12.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

from ooblexd.errors import PublisherError
from ooblexd.publishing import Refusal, Wish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

_MOST_HEAD_BYTES = 1 << 13
_MOST_BODY_BYTES = 1 << 14  # of a session description; FFmpeg's has less than one KiB
_PACKET_HEAD_BYTES = 4
_NO_CHANNEL = -2  # of what is no packet
_METHODS = "OPTIONS, ANNOUNCE, SETUP, RECORD, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_OF_PLAYERS = ", DESCRIBE, PLAY"
_SESSION = "1;timeout=60"
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})")
_HEAD = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
_KEPT = re.compile(r"a=(rtpmap|fmtp|framerate):", re.ASCII)
_REASONS = {
    200: "OK",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    """What a peer asks for.

    Attributes:
        method: In capitals.
        url: As it was sent.
        headers: By their names in small letters.
        body: Of a session description; empty without one.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: str

    def answer(self, status: int, *headers: str, body: str = "") -> bytes:
        """Return the answer to it."""
        told = [
            f"RTSP/1.0 {status} {_REASONS[status]}",
            f"CSeq: {self.headers.get('cseq', '0')}",
            *headers,
        ]
        if body:
            told.append(f"Content-Length: {len(body.encode())}")
        return "\r\n".join([*told, "", body]).encode()


class Packet(NamedTuple):
    """One packet of RTP or RTCP, by its channel."""

    channel: int
    data: bytes


class RtspReader:
    """Reads requests and packets out of what comes; pure."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def read(self, data: bytes) -> Iterator[Request | Packet]:
        """Take ``data``, and yield each thing that it completes.

        Raises:
            PublisherError: It is no RTSP, or too large.
        """
        self._pending += data
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> Request | Packet | None:
        pending = self._pending
        if pending[:1] != b"$":
            return self._next_request()
        if len(pending) < _PACKET_HEAD_BYTES:
            return None
        end = _PACKET_HEAD_BYTES + int.from_bytes(pending[2:4], "big")
        if len(pending) < end:
            return None
        packet = Packet(pending[1], bytes(pending[_PACKET_HEAD_BYTES:end]))
        del pending[:end]
        return packet

    def _next_request(self) -> Request | None:
        pending = self._pending
        if pending[:1] and not pending[:1].isupper():
            raise PublisherError("what is no RTSP")
        end = pending.find(b"\r\n\r\n")
        if end < 0 and len(pending) < _MOST_HEAD_BYTES:
            return None
        if not 0 <= end < _MOST_HEAD_BYTES:
            raise PublisherError("a request without an end")
        first, *lines = pending[:end].decode("utf-8", "replace").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("RTSP/"):  # noqa: PLR2004 # method, URL, version
            raise PublisherError("what is no RTSP")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:9]) > _MOST_BODY_BYTES:
            raise PublisherError("a request that is too large")
        body_at, body_end = end + 4, end + 4 + int(length)
        if len(pending) < body_end:
            return None
        body = pending[body_at:body_end].decode("utf-8", "replace")
        del pending[:body_end]
        return Request(words[0], words[1], headers, body)


class RtspSession:
    """A `Session` that speaks RTSP.

    Args:
        serves_players: One may also wish to play.

    Attributes:
        wish: What is wanted, once that is known.
        has_left: The publisher has said goodbye.
        description: Of the video, as a session description; empty before it was
            announced.
        sound_description: What is to be added to that for the sound; empty where none
            was announced.
        video_channel: On which its packets come; the next one has its reports.
        sound_channel: Likewise of the sound; -1 where none comes.
    """

    def __init__(self, *, serves_players: bool = False) -> None:
        self.wish: Wish | None = None
        self.has_left = False
        self.description = ""
        self.sound_description = ""
        self.video_channel = self.sound_channel = -1
        self._serves_players = serves_players
        self._methods = _METHODS + (_OF_PLAYERS if serves_players else "")
        self._reader = RtspReader()
        self._media: list[str] = []  # the control of each, in their order
        self._video = self._sound = -1
        self._set_up = 0
        self._output = bytearray()
        self._record: Request | None = None  # or what a player asked for

    def receive(self, data: bytes) -> None:
        """Take what the publisher said.

        Raises:
            PublisherError: It is no RTSP, or announces no video.
        """
        for _ in self.read(data):
            if self.wish is not None:
                return  # what else came is read when it has been accepted

    def read(self, data: bytes) -> Iterator[Packet]:
        """Take what came, and yield the packets in it; for who has been accepted.

        Raises:
            PublisherError: It is no RTSP.
        """
        for found in self._reader.read(data):
            if isinstance(found, Packet):
                yield found
            else:
                self._hear(found)
                yield Packet(_NO_CHANNEL, b"")  # so that `receive` may stop here

    def take_output(self) -> bytes:
        """Return what is to be said, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def accept(self) -> None:
        """Say that it may publish."""
        assert self._record is not None
        self._output += self._record.answer(200, f"Session: {_SESSION}")

    def hand_over(self) -> tuple[Request, RtspReader]:
        """Return a player's request, and the reader that holds what came after it."""
        assert self._record is not None
        return self._record, self._reader

    def refuse(self, refusal: Refusal) -> None:
        """Say that it may not; who has given no key may do so and try again."""
        assert self._record is not None
        request, why = self._record, f"X-Reason: {refusal.reason}"
        if refusal.is_of_key:
            login = 'WWW-Authenticate: Basic realm="ooblexd"'
            self._output += request.answer(401, login, why)
        else:
            self._output += request.answer(403, why)
        self.wish = self._record = None

    def _hear(self, request: Request) -> None:
        match request.method:
            case "OPTIONS":
                self._answer(request, 200, f"Public: {self._methods}")
            case "DESCRIBE" if self._serves_players and not self.description:
                self._record = request
                self.wish = Wish(path_of(request.url), is_to_play=True)
            case "ANNOUNCE":
                self._announce(request)
            case "SETUP" if self.description:
                self._set_one_up(request)
            case "RECORD" if self.video_channel >= 0:
                self._record = request
                self.wish = _wish_of(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._answer(request, 200, f"Session: {_SESSION}")
            case "TEARDOWN":
                self.has_left = True
                self._answer(request, 200)
            case "SETUP" | "RECORD":
                self._answer(request, 455)
            case _:
                self._answer(request, 405, f"Allow: {self._methods}")

    def _announce(self, request: Request) -> None:
        text = request.body.replace("\r", "")
        _, *sections = re.split(r"^(?=m=)", text, flags=re.MULTILINE)
        videos = [at for at, one in enumerate(sections) if one.startswith("m=video")]
        if not videos:
            self._answer(request, 415)
            raise PublisherError("a session description without video")
        self._video = videos[0]
        self._media = [_control_of(section) for section in sections]
        self.description = _HEAD + _describe(sections[self._video], "video")
        sounds = [at for at, one in enumerate(sections) if one.startswith("m=audio")]
        if sounds:
            self._sound = sounds[0]
            self.sound_description = _describe(sections[self._sound], "audio")
        self._answer(request, 200)

    def _set_one_up(self, request: Request) -> None:
        transport = request.headers.get("transport", "")
        found = _INTERLEAVED.search(transport)
        if "TCP" not in transport.upper():
            self._answer(request, 461)
            return
        number = self._number_of(request.url)
        self._set_up += 1
        first = int(found[1]) if found else 2 * number
        if number == self._video:
            self.video_channel = first & 0xFF
        if number == self._sound:
            self.sound_channel = first & 0xFF
        told = f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1};mode=record"
        self._answer(request, 200, f"Session: {_SESSION}", f"Transport: {told}")

    def _number_of(self, url: str) -> int:
        """Return which of the announced media is meant."""
        for number, control in enumerate(self._media):
            if control and url.rstrip("/").endswith(control):
                return number
        return self._set_up  # they are set up in their order

    def _answer(self, request: Request, status: int, *headers: str) -> None:
        self._output += request.answer(status, *headers)


def path_of(url: str) -> str:
    """Return which stream is meant, without slashes around it.

    Raises:
        PublisherError: It is no URL.
    """
    return _split(url).path.strip("/")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as exc:
        raise PublisherError("what is no RTSP") from exc


def _wish_of(request: Request) -> Wish:
    parts = _split(request.url)
    query = parse_qs(parts.query)
    token = query.get("token", [""])[0].rstrip("/")
    return Wish(parts.path.strip("/"), token or _password_of(request))


def _password_of(request: Request) -> str:
    kind, _, login = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(login).decode().partition(":")[2]
    except ValueError:  # what base64 and UTF-8 raise
        return ""


def _control_of(section: str) -> str:
    found = re.search(r"^a=control:(\S+)$", section, flags=re.MULTILINE)
    return found[1].rstrip("/") if found else ""


def _describe(section: str, medium: str) -> str:
    """Return a description of one medium, of what FFmpeg needs to know of it.

    A publisher's own names addresses and ports, which are none of FFmpeg's business.
    """
    lines = section.split("\n")
    kept = [line for line in lines[1:] if _KEPT.match(line)]
    formats = " ".join(lines[0].split(" ")[3:])
    told = [f"m={medium} 0 RTP/AVP {formats}", *kept, f"a=control:{medium}"]
    return "\r\n".join([*told, ""])
