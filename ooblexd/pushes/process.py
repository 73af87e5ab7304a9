"""A push by FFmpeg: `sender` beside the worker, and for ``exec:`` a command behind it.

Each picture is handed over when the one before has been written, so nothing waits where
nobody asks any more whether it may be shown. What takes too long is killed: neither
FFmpeg nor the other side has a say in when a push ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.encoders.video import RATE_HZ
from ooblexd.errors import PushError, SourceUnavailableError
from ooblexd.pushes import sender
from ooblexd.pushes.sound import SILENT
from ooblexd.pushes.words import Complaint, explain, scrub
from ooblexd.sources.network import quoted
from ooblexd.sources.program import Program, environment_of_others

if TYPE_CHECKING:
    from ooblexd.audio_line import AudioShape
    from ooblexd.plan import PushPlan
    from ooblexd.pushes import Surroundings
    from ooblexd.webrtc.exchange import EncodedUnit

OPEN_WITHIN_S = 15.0
WRITE_WITHIN_S = 8.0
_GOODBYE_S = 2.0
_PROVEN_NS = 3 * NS_PER_S  # servers take their time to refuse a key
_SLICE_MS = 100
_PIPE_BYTES = 1 << 16
_MOST_ANSWER_BYTES = 1 << 16
_SEND_BYTES = 1 << 17  # enough for 5 Mbit/s at 200 ms

_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "rtsps": "rtsp"}
_RAW = "yuv4mpegpipe"
_OF_COMMAND = {"mpegts": "mpegts", "h264": "h264", "y4m": _RAW}
_OPTIONS = {
    "flv": {},  # `_by_tee` says them
    "rtsp": {"rtsp_transport": "tcp"},
    "mpegts": {"flush_packets": "1", "mpegts_flags": "resend_headers"},
    "h264": {"flush_packets": "1"},
    _RAW: {"flush_packets": "1"},
    "v4l2": {},
}
_AUDIBLE = ("flv", "rtsp", "mpegts")
# Where distributions keep the authorities that they trust.
_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class SenderDestination:
    """A `ooblexd.pushes.Destination` that FFmpeg writes to.

    Args:
        plan: Where to.
        first: A keyframe, which says what the pictures are like; it is not sent.
        around: The push.

    Raises:
        PushError: It cannot be reached; the reason says why.

    Attributes:
        follows_size: A command that reads H.264 or MPEG-TS finds the size within.
    """

    def __init__(
        self, plan: PushPlan, first: EncodedUnit, around: Surroundings
    ) -> None:
        self._url = plan.url
        self._around = around
        self._has_begun = False
        self._opened_ns = monotonic_ns()
        self._program: Program | None = None
        scheme, _, rest = plan.url.partition(":")
        kind = _OF_COMMAND[plan.format] if scheme == "exec" else _kind_of(scheme)
        self.follows_size = kind in ("mpegts", "h264")
        url = rest if kind == "v4l2" else plan.url
        self._is_audible = kind in _AUDIBLE
        self._sound = _sound_of(plan, kind, around)
        given: tuple[int, ...] = ()
        if scheme == "exec":
            writing = self._start(rest)
            url, given = f"pipe:{writing}", (writing,)
        try:
            self._process = _popen(given)
        finally:
            for fd in given:
                os.close(fd)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._in.fileno(), False)
        url = quoted(url) if "://" in url else url
        job: dict[str, Any] = {
            "url": _by_tee(url) if kind == "flv" else url,
            "format": "tee" if kind == "flv" else kind,
            "options": _OPTIONS[kind],
            "is_raw": kind in (_RAW, "v4l2"),
            "sound": self._sound,
            "parent": os.getpid(),
            "path": sys.path,
        }
        try:
            line = json.dumps(job).encode() + b"\n"
            self._exchange(line + _packed(first), OPEN_WITHIN_S)
        except PushError:
            self.close()
            raise

    def write(self, unit: EncodedUnit) -> None:
        """Have a picture written, and wait until it is.

        Raises:
            PushError: It was not, and why.
        """
        self._exchange(_packed(unit), WRITE_WITHIN_S)
        if self._sound is None:
            return
        sound, picture_ns = self._around.sound, _time_of(unit)
        if not self._has_begun:
            self._has_begun = True
            sound.begin(self._sound, picture_ns)
        for piece in sound.pieces(picture_ns):
            head = sender.UNIT.pack(piece.samples, sender.SOUND, len(piece.data))
            self._exchange(head + piece.data, WRITE_WITHIN_S)

    def lacks(self, sound: AudioShape) -> bool:
        """Say whether another connection would have this sound."""
        return self._is_audible and sound != self._sound

    def close(self) -> None:
        """End the connection, by force where it does not end by itself."""
        if self._in.closed:
            return
        self._close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GOODBYE_S)
        self._process.kill()
        self._process.wait()
        self._out.close()
        if self._program is not None:
            self._program.close()

    def _start(self, command: str) -> int:
        """Start a command; return what its input is written to."""
        reading, writing = os.pipe()
        try:
            self._program = Program(command, monotonic_ns, reading)
        except SourceUnavailableError as error:
            os.close(writing)
            raise PushError(error.reason) from error
        finally:
            os.close(reading)
        return writing

    def _exchange(self, data: bytes, within_s: float) -> None:
        """Write ``data`` and wait for the answer."""
        deadline_ns = monotonic_ns() + int(within_s * NS_PER_S)
        rest = memoryview(data)
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._in, select.POLLOUT)
        while True:
            ready = {fd for fd, _ in poll.poll(_SLICE_MS)}
            self._listen()
            if self._out.fileno() in ready and self._take_answer():
                return
            if rest and self._in.fileno() in ready:
                rest = rest[self._write_some(rest) :]
                if not rest:
                    poll.unregister(self._in)
            if self._around.is_ending or monotonic_ns() > deadline_ns:
                self._process.kill()
                raise PushError(f"nothing gets through for {within_s:g} s")

    def _write_some(self, rest: memoryview) -> int:
        try:
            return os.write(self._in.fileno(), rest[:_PIPE_BYTES])
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            raise self._failure(self._rest_of_answer()) from None

    def _take_answer(self) -> bool:
        said = os.read(self._out.fileno(), len(sender.DONE))
        if said == sender.DONE:
            return True
        raise self._failure(said + self._rest_of_answer())

    def _rest_of_answer(self) -> bytes:
        """Return what it says last; it ends by itself, or is ended."""
        said, deadline_ns = b"", monotonic_ns() + int(_GOODBYE_S * NS_PER_S)
        while len(said) < _MOST_ANSWER_BYTES and monotonic_ns() < deadline_ns:
            ready, _, _ = select.select([self._out], [], [], _SLICE_MS / 1000)
            if not ready:
                continue
            more = os.read(self._out.fileno(), _PIPE_BYTES)
            if not more:
                break
            said += more
        return said

    def _failure(self, said: bytes) -> PushError:
        """Return what went wrong; the command knows it better than its input."""
        if self._program is not None:
            with contextlib.suppress(OSError):
                try:
                    self._program.read(monotonic_ns() + NS_PER_S)
                except SourceUnavailableError as error:
                    return PushError(scrub(error.reason, self._url))
        try:
            complaint = Complaint(**json.loads(said))
        except (ValueError, TypeError):
            return PushError("the process that sends it has ended")
        was_open = monotonic_ns() - self._opened_ns > _PROVEN_NS
        return explain(complaint, self._url, was_open=was_open)

    def _listen(self) -> None:
        """Have the command say what it likes; it must not wait to be heard."""
        if self._program is None:
            return
        try:
            self._program.read(0)
        except SourceUnavailableError as error:
            raise PushError(scrub(error.reason, self._url)) from error

    def _close_input(self) -> None:
        with contextlib.suppress(OSError):  # what is still to be flushed; nothing is
            self._in.close()


def _by_tee(url: str) -> str:
    """Return what FFmpeg's muxer ``tee`` is to open, and with which options.

    PyAV hands none to what opens a connection. The system would keep megabytes that
    nobody takes, which is pictures of many seconds; and FFmpeg checks no certificate
    unless it is told to, so that a key would go to whoever answers.
    """
    options = {
        "f": "flv",
        "flvflags": "no_duration_filesize",
        "send_buffer_size": str(_SEND_BYTES),
    }
    if url.lower().startswith("rtmps"):
        options["tls_verify"] = "1"
        known = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
        authorities = next((one for one in known if one and Path(one).is_file()), "")
        if authorities:
            options["ca_file"] = authorities
    told = ":".join(f"{name}={_escaped(value)}" for name, value in options.items())
    return f"[{told}]{_escaped(url)}"


def _escaped(text: str) -> str:
    return re.sub(r"([^\w/.-])", r"\\\1", text)


def _popen(given: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 # a script of ours
        [sys.executable, "-I", "-S", str(sender.__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        pass_fds=given,
        env=environment_of_others(),
    )


def _kind_of(scheme: str) -> str:
    scheme = scheme.lower()
    return _FORMATS.get(scheme, scheme)


def _sound_of(plan: PushPlan, kind: str, around: Surroundings) -> AudioShape | None:
    """Return what the track of sound is like, if there is to be one."""
    if kind not in _AUDIBLE:
        return None
    silent = SILENT if kind == "flv" and plan.silent_audio else None
    return around.sound.shape or silent


def _packed(unit: EncodedUnit) -> bytes:
    packet = unit.packet
    assert packet.pts is not None, "our encoder gives each picture its time"
    data = bytes(packet)
    kind = sender.KEYFRAME if packet.is_keyframe else sender.PICTURE
    return sender.UNIT.pack(packet.pts, kind, len(data)) + data


def _time_of(unit: EncodedUnit) -> int:
    return (unit.packet.pts or 0) * NS_PER_S // RATE_HZ
