"""RTMP as a publisher speaks it: OBS, FFmpeg, GStreamer, hardware encoders.

The handshake is the plain one, which all of them accept: the digests of Flash prove
nothing to anybody. Of the commands only those matter that lead to ``publish``.

Source: Adobe's "Real Time Messaging Protocol" 1.0, 5.2 and 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ooblexd.errors import PublisherError
from ooblexd.publishing import Refusal, Wish
from ooblexd.publishing.amf import Said, format_values, read_values
from ooblexd.publishing.chunks import ChunkReader, Message, format_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.publishing.amf import Value

_VERSION = b"\x03"
_HANDSHAKE_BYTES = 1536
_MOST_COMMAND_BYTES = 1 << 14  # a connect has less than a kilobyte
MOST_VIDEO_BYTES = 12 << 20  # a keyframe of 4096x4096 has less
_WINDOW_BYTES = 2_500_000  # after which receipt is acknowledged, as FFmpeg expects
_ACKNOWLEDGE, _PING, _WINDOW, _BANDWIDTH = 3, 4, 5, 6
_PING_REQUEST, _PING_ANSWER = 6, 7
_COMMANDS = {17: 1, 20: 0}  # kinds of message: AMF3's has a byte in front
_STREAM = 1
_PROTOCOL, _COMMAND = 2, 3  # chunk streams
_GOODBYES = ("deleteStream", "closeStream", "FCUnpublish")


class RtmpSession:
    """A `Session` that speaks RTMP.

    Attributes:
        wish: What is wanted, once that is known.
        has_left: The publisher has said goodbye.
    """

    def __init__(self) -> None:
        self.wish: Wish | None = None
        self.has_left = False
        self._reader = ChunkReader(_MOST_COMMAND_BYTES)
        self._greeting: bytearray | None = bytearray()  # until it is whole
        self._greetings_due = [1 + _HANDSHAKE_BYTES, _HANDSHAKE_BYTES]
        self._output = bytearray()
        self._application = ""
        self._token = ""
        self._received = 0
        self._acknowledged = 0

    def receive(self, data: bytes) -> None:
        """Take what the publisher said.

        Raises:
            PublisherError: It is no RTMP, or wants something else than to publish.
        """
        for message in self.read(data):
            self._hear(message)
            if self.wish is not None:
                return  # what else came is read when it has been accepted

    def read(self, data: bytes) -> Iterator[Message]:
        """Take what came, and yield the messages in it; for who has been accepted.

        Raises:
            PublisherError: It is no RTMP.
        """
        self._received += len(data)
        if self._greeting is not None:
            self._greeting += data
            data = self._greet()
        for message in self._reader.read(data):
            if message.kind == _PING:
                self._answer_ping(message.body)
            elif self.wish is not None and message.kind in _COMMANDS:
                self.has_left |= _words_of(message)[0] in _GOODBYES
            yield message
        if self._received - self._acknowledged >= _WINDOW_BYTES // 2:
            self._acknowledged = self._received
            self._say(_ACKNOWLEDGE, (self._received & 0xFFFFFFFF).to_bytes(4, "big"))

    def take_output(self) -> bytes:
        """Return what is to be said, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def accept(self) -> None:
        """Say that it may publish; from now on it may send more than commands."""
        self._reader.most_bytes = MOST_VIDEO_BYTES
        begin = (0).to_bytes(2, "big") + _STREAM.to_bytes(4, "big")
        self._say(_PING, begin)
        self._tell("status", "NetStream.Publish.Start", "it is shown")

    def refuse(self, refusal: Refusal) -> None:
        """Say that it may not, by a status that OBS and FFmpeg show."""
        # OBS takes BadName for a lost connection, and tries for ever.
        name = "Denied" if refusal.is_of_key else "Rejected"
        self._tell("error", f"NetStream.Publish.{name}", refusal.reason)
        self.wish = None

    def _greet(self) -> bytes:
        """Shake hands; returns what came after it."""
        greeting = self._greeting
        assert greeting is not None
        is_first = len(self._greetings_due) > 1
        if is_first and greeting[:1] not in (b"", _VERSION):
            raise PublisherError("what is no RTMP")
        while self._greetings_due and len(greeting) >= self._greetings_due[0]:
            length = self._greetings_due.pop(0)
            if self._greetings_due:
                # Zeros instead of a version of Flash: no digest is meant.
                ours = bytes(_HANDSHAKE_BYTES)
                self._output += _VERSION + ours + greeting[1:length]
            del greeting[:length]
        if self._greetings_due:
            return b""
        self._greeting = None
        return bytes(greeting)

    def _hear(self, message: Message) -> None:
        if message.kind not in _COMMANDS:
            return
        words = _words_of(message)
        words += [None] * 4  # for what was left out
        name, number, third, fourth = words[:4]
        if not isinstance(number, float):
            raise PublisherError("a command without a number")
        match name:
            case "connect":
                self._connect(third, number)
            case "createStream":
                self._send(0, "_result", number, None, _STREAM)
            case "publish":
                self._wish_for(fourth if isinstance(fourth, str) else "")
            case "releaseStream" | "FCPublish":
                self._send(0, "_result", number, None, None)
            case "play":
                raise PublisherError("a wish to watch, where one publishes")
            case _:
                pass

    def _connect(self, wanted: Value, number: float) -> None:
        application = wanted.get("app") if isinstance(wanted, dict) else None
        path, self._token = _split(application if isinstance(application, str) else "")
        self._application = path
        self._say(_WINDOW, _WINDOW_BYTES.to_bytes(4, "big"))
        dynamic = b"\x02"
        self._say(_BANDWIDTH, _WINDOW_BYTES.to_bytes(4, "big") + dynamic)
        status: Said = {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "connected",
            "objectEncoding": 0.0,
        }
        server: Said = {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0}
        self._send(0, "_result", number, server, status)

    def _wish_for(self, key: str) -> None:
        path, token = _split(key)
        # An empty key is what remains where somebody writes the whole into "server".
        whole = f"{self._application}/{path}".strip("/")
        self.wish = Wish(whole, token or self._token)

    def _answer_ping(self, body: bytes) -> None:
        if int.from_bytes(body[:2], "big") == _PING_REQUEST:
            self._say(_PING, _PING_ANSWER.to_bytes(2, "big") + body[2:6])

    def _tell(self, level: str, code: str, description: str) -> None:
        status: Said = {"level": level, "code": code, "description": description}
        self._send(_STREAM, "onStatus", 0.0, None, status)

    def _send(self, stream: int, name: str, number: float, *rest: Said) -> None:
        body = format_values([name, number, *rest])
        self._output += format_message(Message(20, 0, stream, body), _COMMAND)

    def _say(self, kind: int, body: bytes) -> None:
        self._output += format_message(Message(kind, 0, 0, body), _PROTOCOL)


def _words_of(message: Message) -> list[Value]:
    return read_values(message.body[_COMMANDS[message.kind] :])


def _split(text: str) -> tuple[str, str]:
    """Split ``PATH?token=TOKEN``."""
    path, _, query = text.partition("?")
    tokens = parse_qs(query).get("token", [""])
    return path.strip("/"), tokens[0]
