"""What a publisher sends by RTMP, as the FLV file that FFmpeg reads.

RTMP's messages of video are FLV's tags but for their heads. Sound goes another way
(`flv_sound`), so that FFmpeg need not wait to learn whether there is any: it begins
with the first picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from ooblexd.errors import PublisherError, SourceError
from ooblexd.publishing import hear_again
from ooblexd.publishing.rtmp import RtmpSession
from ooblexd.sources.flv_sound import FlvSound
from ooblexd.sources.network import prepare
from ooblexd.sources.patience import Patience
from ooblexd.sources.reasons import explain, ffmpeg_messages, without_secrets

if TYPE_CHECKING:
    from av.container import InputContainer

    from ooblexd.sources.door import Publisher
    from ooblexd.sources.network import Address
    from ooblexd.sources.options import SourceOptions

_FILE_HEAD = b"FLV\x01\x01" + (9).to_bytes(4, "big") + bytes(4)  # video alone
_AUDIO, _VIDEO = 8, 9
_TAG_HEAD_BYTES = 11
_CHUNK_BYTES = 1 << 18
_SENDS_WITHIN_S = 1.0
_LOOK_AGAIN_S = 0.5


class FlvBroadcast:
    """A `ooblexd.sources.door.Broadcast` by RTMP, which FFmpeg reads like a file.

    Args:
        publisher: Whom nobody has answered yet.
        open_timeout_s: It ends after so long if nobody becomes impatient before.
        options: Tell the time; and are told until then that something is done.

    Attributes:
        ending: What the publisher did that it is over; empty while it is not.
    """

    def __init__(
        self, publisher: Publisher, open_timeout_s: float, options: SourceOptions
    ) -> None:
        self.ending = ""
        self._connection = publisher.connection
        self._publisher = publisher
        self._session = RtmpSession()
        self._sound = FlvSound(options)
        self._options = options
        self._patience = Patience(open_timeout_s, options)
        self._ready = bytearray(_FILE_HEAD)

    def answer(self) -> None:
        """Let the publisher begin.

        Raises:
            PublisherError: What it has said is not what control has heard.
            OSError: It has gone.
        """
        session = self._session
        hear_again(session, self._publisher.transcript, self._publisher.refusals)
        session.accept()
        self._send()
        self._take(b"")

    def open(self, _address: Address, options: SourceOptions) -> InputContainer:
        """Open what comes; blocks until there is video.

        Raises:
            SourceUnavailableError: It is none.
        """
        with ffmpeg_messages() as messages:
            try:
                # Of video alone the second packet tells enough.
                analysis = {"analyzeduration": "1"}
                container = av.open(self, "r", format="flv", options=analysis)
            except av.FFmpegError as exc:
                reason = explain(exc, messages, waited_s=options.open_timeout_s)
                raise reason from without_secrets(exc)
        try:
            prepare(container)
        except SourceError:
            container.close()
            raise
        return container

    def be_impatient(self, silence_s: float) -> None:
        """End, from now on, when no video has come for so long."""
        self._patience.be_impatient(silence_s)

    def read(self, size: int) -> bytes:
        """Block until there is something; nothing is the end."""
        while not self._ready and not self.ending:
            try:
                self._wait()
            except OSError:
                self.ending = "lost the connection"
            except PublisherError as error:
                self.ending = f"sent {error}"
        piece = bytes(self._ready[:size])
        del self._ready[:size]
        return piece

    def _wait(self) -> None:
        """Take what comes next, within half a second."""
        self.ending = self._patience.judge()
        if self.ending:
            return
        self._connection.settimeout(_LOOK_AGAIN_S)
        try:
            data = self._connection.recv(_CHUNK_BYTES)
        except TimeoutError:
            return
        self._take(data)
        self._send()
        if not data or self._session.has_left:
            self.ending = "has stopped"

    def _take(self, data: bytes) -> None:
        for message in self._session.read(data):
            now_ns = self._options.now_ns()
            if message.kind == _AUDIO:
                self._sound.take(message.time_ms, message.body, now_ns)
            if message.kind == _VIDEO and message.body:
                self._patience.note_video(now_ns)
                self._sound.note_picture(message.time_ms, now_ns)
                self._ready += _tag(message.time_ms, message.body)

    def _send(self) -> None:
        if output := self._session.take_output():
            self._connection.settimeout(_SENDS_WITHIN_S)
            self._connection.sendall(output)


def _tag(time_ms: int, body: bytes) -> bytes:
    head = bytes([_VIDEO]) + len(body).to_bytes(3, "big")
    head += (time_ms & 0xFFFFFF).to_bytes(3, "big") + bytes([time_ms >> 24 & 0xFF])
    length = _TAG_HEAD_BYTES + len(body)
    return head + bytes(3) + body + length.to_bytes(4, "big")
