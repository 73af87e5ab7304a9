"""What a publisher sends by RTSP, as FFmpeg reads it: from a camera.

FFmpeg takes packets apart and puts them in order, but only as a client. So it is given
a camera of its own on this machine, which has of the publisher what it announced and
the packets of its video and sound, with an end behind each picture as `rtsp_relay`
explains.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

from ooblexd.errors import PublisherError
from ooblexd.publishing import hear_again
from ooblexd.publishing.rtsp import Request, RtspReader, RtspSession
from ooblexd.sources.network import Address, open_container
from ooblexd.sources.patience import Patience
from ooblexd.sources.rtsp_relay import Delimiting

if TYPE_CHECKING:
    from av.container import InputContainer

    from ooblexd.sources.door import Publisher
    from ooblexd.sources.options import SourceOptions

_VIDEO, _SOUND = 0, 2  # channels of the camera
_CHUNK_BYTES = 1 << 18
_SENDS_WITHIN_S = 1.0
_LOOK_AGAIN_S = 0.5
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"


class RtspBroadcast:
    """A `ooblexd.sources.door.Broadcast` by RTSP.

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
        self._session = RtspSession()
        self._delimiting = Delimiting()
        self._options = options
        self._wants_sound = options.on_audio is not None
        self._patience = Patience(open_timeout_s, options)

    def answer(self) -> None:
        """Let the publisher begin.

        Raises:
            PublisherError: What it has said is not what control has heard.
            OSError: It has gone.
        """
        session = self._session
        hear_again(session, self._publisher.transcript, self._publisher.refusals)
        session.accept()
        self._connection.settimeout(_SENDS_WITHIN_S)
        self._connection.sendall(session.take_output())

    def open(self, _address: Address, options: SourceOptions) -> InputContainer:
        """Open what comes; blocks until FFmpeg is content with what was announced.

        Raises:
            SourceUnavailableError: It is no video.
        """
        listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        listener.settimeout(_SENDS_WITHIN_S)
        port = listener.getsockname()[1]
        threading.Thread(
            target=self._serve, args=(listener,), name="publisher", daemon=True
        ).start()
        camera = Address(
            url=f"rtsp://127.0.0.1:{port}/",
            default_port=port,
            transport="tcp",
            av_options={
                "rtsp_transport": "tcp",
                "allowed_media_types": "video+audio" if self._is_heard else "video",
                "probesize": "32",
                "protocol_whitelist": "rtsp,rtp,tcp",
            },
        )
        return open_container(camera, options)

    @property
    def _is_heard(self) -> bool:
        return self._wants_sound and self._session.sound_channel >= 0

    def be_impatient(self, silence_s: float) -> None:
        """End, from now on, when no video has come for so long."""
        self._patience.be_impatient(silence_s)

    def _serve(self, listener: socket.socket) -> None:
        """Be FFmpeg's camera until either side leaves."""
        with listener, contextlib.suppress(OSError):  # nobody came, or they have left
            player, _ = listener.accept()
            listener.close()
            with player:
                self._pass_on(player)

    def _pass_on(self, player: socket.socket) -> None:
        asked, ready = RtspReader(), select.poll()
        player.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        player.settimeout(_SENDS_WITHIN_S)
        ready.register(player, select.POLLIN)
        is_playing = False
        while not self.ending:
            for fd, _ in ready.poll(int(_LOOK_AGAIN_S * 1000)):
                if fd != player.fileno():
                    self._hear(player)
                    continue
                said = player.recv(_CHUNK_BYTES)
                if not said:
                    return
                for request in asked.read(said):
                    if isinstance(
                        request, Request
                    ):  # else a report, which says nothing
                        self._answer(player, request)
                        is_playing = is_playing or request.method == "PLAY"
            if is_playing:
                ready.register(self._connection, select.POLLIN)
            self.ending = self.ending or self._patience.judge()

    def _answer(self, player: socket.socket, request: Request) -> None:
        told, body = f"Public: {_METHODS}", ""
        if request.method == "DESCRIBE":
            told, body = "Content-Type: application/sdp", self._session.description
            body += self._session.sound_description if self._is_heard else ""
        if request.method == "SETUP":
            first = _SOUND if request.url.endswith("/audio") else _VIDEO
            told = f"Transport: RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"
        answer = request.answer(200, told, "Session: 1", body=body)
        player.sendall(self._delimiting.feed(answer))

    def _hear(self, player: socket.socket) -> None:
        """Pass on what the publisher sends."""
        try:
            data = self._connection.recv(_CHUNK_BYTES)
            packets = list(self._session.read(data))
            if output := self._session.take_output():
                self._connection.sendall(output)
        except PublisherError as error:
            self.ending = f"sent {error}"
            return
        except OSError:
            self.ending = "lost the connection"
            return
        session = self._session
        channels = {
            session.video_channel: _VIDEO,
            session.video_channel + 1: _VIDEO + 1,
        }
        if any(packet.channel in channels for packet in packets):
            self._patience.note_video(self._options.now_ns())
        if self._is_heard:
            channels[session.sound_channel] = _SOUND
            channels[session.sound_channel + 1] = _SOUND + 1
        passed = b"".join(
            _frame(channels[packet.channel], packet.data)
            for packet in packets
            if packet.channel in channels
        )
        if passed:
            player.sendall(self._delimiting.feed(passed))
        if not data or self._session.has_left:
            self.ending = "has stopped"


def _frame(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data
