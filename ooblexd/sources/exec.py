"""``exec:``, a command that writes pictures: Y4M, MJPEG or raw, on standard output.

The door for what no library opens: rpicam-vid, GStreamer on a Jetson, anything. Y4M and
MJPEG are known by their first bytes; raw pictures say nothing of themselves, so the
stream's ``input`` does.

A picture is taken with its last byte. Where pictures have piled up, because we were
slow, the newest is taken and the others are told as passed over: a pipe is no queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from ooblexd.clock import NS_PER_S
from ooblexd.errors import SourceError, SourceUnavailableError
from ooblexd.sources.framing import framing_of
from ooblexd.sources.options import SourceDescription, SourceOptions
from ooblexd.sources.picture import DecodedPicture, picture_of
from ooblexd.sources.program import Program

if TYPE_CHECKING:
    from ooblexd.sources.framing import Framing

_FAILURES_IN_A_ROW = 10
_MOST_READS, _MOST_PICTURES = 16, 64  # of a pipe that never empties


class ExecSource:
    """A `ooblexd.sources.Source` over a command.

    It is open with its first picture. A command that takes long for it is kept waiting
    for: a camera's pipeline may need five seconds to start.

    Args:
        command: Without ``exec:``.
        options: How it is read.

    Raises:
        SourceUnavailableError: It cannot be started, ended, wrote nothing or nothing
            that can be read; with what it said last.

    Attributes:
        description: What the command writes.
    """

    def __init__(self, command: str, options: SourceOptions) -> None:
        self._options = options
        self._program = Program(command, options.now_ns)
        self._framing: Framing | None = None
        self._decoder: av.VideoCodecContext | None = None
        self._head = b""
        self._failures = 0
        self._started_ns = options.now_ns()
        try:
            self._first: DecodedPicture | None = self._open()
            self.description = self._describe(self._first)
        except SourceError:
            self._program.close()
            raise

    def read(self) -> DecodedPicture:
        """Block until the next picture that the rate admits.

        Raises:
            SourceUnavailableError: The command ended, nothing came for
                ``read_timeout_s``, or nothing that came could be decoded.
        """
        first, self._first = self._first, None
        return first or self._read_next()

    def close(self) -> None:
        """End the command and all that it has started; a second call does nothing."""
        self._program.close()

    def _open(self) -> DecodedPicture:
        """Wait for the first picture, and say so if it takes long."""
        options = self._options
        payload = self._next(self._started_ns + _ns(options.read_timeout_s))
        if payload is None:
            options.on_delay(self._silence(options.read_timeout_s))
            payload = self._next(self._started_ns + _ns(options.open_timeout_s))
        if payload is None:
            raise SourceUnavailableError(self._silence(options.open_timeout_s))
        return self._decode(*payload) or self._read_next()

    def _read_next(self) -> DecodedPicture:
        while True:
            timeout_s = self._options.read_timeout_s
            payload = self._next(self._options.now_ns() + _ns(timeout_s))
            if payload is None:
                raise SourceUnavailableError(self._silence(timeout_s))
            if not self._options.rate.admits(payload[1]):
                continue
            picture = self._decode(*payload)
            if picture is not None:
                return picture

    def _next(self, until_ns: int) -> tuple[bytes, int] | None:
        """Return the newest whole picture and its arrival; None if none comes."""
        while (
            data := self._program.read(until_ns)
        ) or self._options.now_ns() < until_ns:
            pictures = self._pictures(data)
            for _ in range(_MOST_READS):
                is_flooded = len(pictures) > _MOST_PICTURES
                if not pictures or is_flooded or not (data := self._program.read(0)):
                    break
                pictures += self._pictures(data)
            for _ in pictures[1:]:
                self._options.on_passed_over()
            if pictures:
                return pictures[-1], self._options.now_ns()
        return None

    def _pictures(self, data: bytes) -> list[bytes]:
        if self._framing is None:
            self._head += data
            data = self._head
            self._framing = framing_of(self._options.input, data)
        return [] if self._framing is None else list(self._framing.pictures(data))

    def _decode(self, payload: bytes, arrival_ns: int) -> DecodedPicture | None:
        """Return the picture; None for one that is damaged.

        Raises:
            SourceUnavailableError: It is one of many in a row.
        """
        assert self._framing is not None, "it has found the picture"
        if self._decoder is None:
            self._decoder = self._framing.decoder()
        try:
            frames = self._decoder.decode(av.Packet(payload))
        except av.FFmpegError as exc:
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                reason = "what the command writes cannot be decoded"
                raise SourceUnavailableError(reason) from exc
            return None
        self._failures = 0
        for frame in frames:
            return picture_of(
                frame,
                pts_ns=arrival_ns - self._started_ns,
                capture_ns=arrival_ns,
                decoded_ns=self._options.now_ns(),
            )
        return None

    def _silence(self, waited_s: float) -> str:
        what = "no whole picture" if self._head else "nothing"
        return f"the command writes {what} for {waited_s:g} s{self._program.told()}"

    def _describe(self, picture: DecodedPicture) -> SourceDescription:
        assert self._framing is not None
        assert self._decoder is not None
        return SourceDescription(
            codec=self._decoder.name,
            width=picture.width,
            height=picture.height,
            fps=self._framing.fps or self._options.input.fps,
            has_b_frames=False,
            transport="pipe",
            pixel_format=self._decoder.pix_fmt or "",
        )


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
