"""RTMP's messages, cut out of the chunks they travel in, and cut into them; pure.

A publisher announces lengths and sizes of chunks as it likes; nothing here grows by
what is announced, only by what has come, and that is bounded.

Source: Adobe's "Real Time Messaging Protocol" 1.0, 5.3.1 to 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.errors import PublisherError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_CHUNK_BYTES = 128
_MOST_CHUNK_BYTES = 0xFFFFFF
_MOST_CHUNK_STREAMS = 32  # encoders use four
_HEAD_BYTES = (11, 7, 3, 0)
_EXTENDED = b"\xff\xff\xff"
_ABSOLUTE, _DELTA_AND_LENGTH, _DELTA, _NOTHING = range(4)
_SET_CHUNK_SIZE, _ABORT = 1, 2


class Message(NamedTuple):
    """One message.

    Attributes:
        kind: Its type: 9 is video, 20 a command.
        time_ms: Of its own clock, modulo 2^32.
        stream: Which message stream it belongs to; 0 is the connection itself.
        body: What it holds.
    """

    kind: int
    time_ms: int
    stream: int
    body: bytes


class _Head(NamedTuple):
    """The head of one chunk.

    Attributes:
        form: Which of the four.
        number: Of the chunk stream.
        told: What the form says: time, length and kind, stream.
        extended: The time, where it does not fit there.
        end: Where the chunk's share of the message begins.
    """

    form: int
    number: int
    told: bytes
    extended: bytes
    end: int

    @property
    def length(self) -> int | None:
        """Of the whole message; None where it is that of the one before."""
        if self.form > _DELTA_AND_LENGTH:
            return None
        return int.from_bytes(self.told[3:6], "big")


@dataclass(slots=True)
class _ChunkStream:
    time_ms: int = 0
    delta_ms: int = 0
    extended: bytes = b""
    length: int = 0
    kind: int = 0
    stream: int = 0
    partial: bytearray = field(default_factory=bytearray)

    def begin(self, head: _Head) -> None:
        """Begin the message whose first chunk has this head."""
        if head.length is not None:
            self.length, self.kind = head.length, head.told[6]
        if head.form == _ABSOLUTE:
            self.stream = int.from_bytes(head.told[7:11], "little")
            self.time_ms = 0
        if head.form != _NOTHING:
            self.extended = head.extended
            time = head.extended or head.told[:3]
            self.delta_ms = int.from_bytes(time, "big")
        self.time_ms = (self.time_ms + self.delta_ms) & 0xFFFFFFFF


class ChunkReader:
    """Reads messages out of what comes.

    Args:
        most_bytes: Of all messages that have begun; one that would have more is an
            error at once.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._chunk_bytes = _FIRST_CHUNK_BYTES
        self._streams: dict[int, _ChunkStream] = {}
        self._pending = bytearray()
        self._partial_bytes = 0

    def read(self, data: bytes) -> Iterator[Message]:
        """Take ``data``, and yield each message that it completes.

        Raises:
            PublisherError: It is no RTMP, or too large.
        """
        self._pending += data
        pending, at = self._pending, 0
        try:
            while True:
                end, message = self._chunk(at)
                if end == at:
                    return
                at = end
                if message is not None and not self._obey(message):
                    yield message
        finally:
            del pending[:at]

    def _chunk(self, begin: int) -> tuple[int, Message | None]:
        """Read the chunk at ``begin``; its end is ``begin`` while it is not whole."""
        head = self._head(begin)
        if head is None:
            return begin, None
        stream = self._streams.get(head.number) or _ChunkStream()
        partial = stream.partial
        # A message of the same length goes on, whatever head the chunk has: FFmpeg
        # and nginx are as lenient.
        goes_on = head.length in (None, stream.length)
        length = stream.length if head.length is None else head.length
        if length - len(partial) + self._partial_bytes > self.most_bytes:
            raise PublisherError(f"a message of {length} bytes")
        begun = len(partial) if goes_on else 0
        end = head.end + min(self._chunk_bytes, length - begun)
        if len(self._pending) < end:
            return begin, None
        self._streams[head.number] = stream
        if len(self._streams) > _MOST_CHUNK_STREAMS:
            raise PublisherError("more chunk streams than any encoder has")
        if not begun:
            self._partial_bytes -= len(partial)
            partial.clear()
            stream.begin(head)
        with memoryview(self._pending) as pending:
            partial += pending[head.end : end]
        self._partial_bytes += end - head.end
        if len(partial) < length:
            return end, None
        self._partial_bytes -= length
        body, stream.partial = bytes(partial), bytearray()
        return end, Message(stream.kind, stream.time_ms, stream.stream, body)

    def _head(self, begin: int) -> _Head | None:
        """Read the head of the chunk at ``begin``; None while it is not whole."""
        pending, at = self._pending, begin + 1
        have = len(pending)
        # The numbers 0 and 1 say that the number follows, in one byte or in two.
        if have < at or have < at + (1, 2, 0)[min(pending[begin] & 63, 2)]:
            return None
        form, number = pending[begin] >> 6, pending[begin] & 63
        if number == 0:
            number, at = pending[at] + 64, at + 1
        elif number == 1:
            number, at = pending[at] + (pending[at + 1] << 8) + 64, at + 2
        end = at + _HEAD_BYTES[form]
        if have < end:
            return None
        told = bytes(pending[at:end])
        known = self._streams.get(number)
        former = known.extended if known else b""
        is_extended = form == _NOTHING and former
        if told[:3] == _EXTENDED or is_extended:
            extended = bytes(pending[end : end + 4])
            if len(extended) < 4:  # noqa: PLR2004 # a word
                return None
            # Not every encoder repeats it, as 5.3.1.3 says that it must.
            if not is_extended or extended == former:
                return _Head(form, number, told, extended, end + 4)
        return _Head(form, number, told, b"", end)

    def _obey(self, message: Message) -> bool:
        """Do what a message says of the chunks themselves; False if it is another."""
        if message.kind == _SET_CHUNK_SIZE:
            size = int.from_bytes(message.body[:4], "big") & 0x7FFFFFFF
            if not size:
                raise PublisherError("chunks of no size")
            self._chunk_bytes = min(size, _MOST_CHUNK_BYTES)
            return True
        if message.kind == _ABORT:
            stream = self._streams.get(int.from_bytes(message.body[:4], "big"))
            if stream is not None:
                self._partial_bytes -= len(stream.partial)
                stream.partial.clear()
            return True
        return False


def format_message(message: Message, chunk_stream: int) -> bytes:
    """Return ``message`` in chunks of 128 bytes, as every peer expects until told.

    Args:
        message: What is said.
        chunk_stream: 2 for the protocol's own, 3 for commands.
    """
    head = bytes([chunk_stream]) + message.time_ms.to_bytes(3, "big")
    head += len(message.body).to_bytes(3, "big") + bytes([message.kind])
    head += message.stream.to_bytes(4, "little")
    parts = [
        message.body[at : at + _FIRST_CHUNK_BYTES]
        for at in range(0, len(message.body), _FIRST_CHUNK_BYTES)
    ]
    return head + bytes([_NOTHING << 6 | chunk_stream]).join(parts)
