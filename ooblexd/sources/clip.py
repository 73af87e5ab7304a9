"""A video file played in a loop at its own pace: what ``file:`` and ``demo:`` share."""

from __future__ import annotations

import stat
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av

from ooblexd.clock import NS_PER_S
from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.decoding import Decoder
from ooblexd.sources.options import SourceDescription, SourceOptions
from ooblexd.sources.pace import Pace
from ooblexd.sources.sound import Sound, tell_left_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer

    from ooblexd.audio import AudioPacket
    from ooblexd.sources.decoding import Taken, WaitingPicture
    from ooblexd.sources.picture import DecodedPicture

_DEFAULT_FPS = 25.0
_MOST_SOUNDS = 1024  # packets, should a file have its sound far ahead


class Clip:
    """A `ooblexd.sources.Source` over a file.

    A picture is decoded first and then waits until it is due, so that it is handed over
    at its time and not a decoding later. Sound is passed on with the picture of its
    moment.

    Args:
        path: Of the file.
        options: Its clock, and whether somebody looks; nothing else applies to a file.

    Raises:
        SourceUnavailableError: There is no such file, it cannot be read, or holds no
            video; each says so.

    Attributes:
        description: What the file is.
        tick: Number of the picture read last, counting those missed before it.
    """

    def __init__(self, path: str, options: SourceOptions) -> None:
        self._path = path
        self._container = open_clip(path)
        self.description = _describe(self._container)
        self._period_ns = round(NS_PER_S / self.description.fps)
        self._pace = Pace(self._period_ns, options.now_ns)
        self._options = options
        self._sound = Sound(self._container, options)
        tell_left_out(self._container, options)
        self._sounds: deque[AudioPacket] = deque(maxlen=_MOST_SOUNDS)
        self._round_ns = 0  # when this repetition began
        self._begin_ns = 0  # of its first picture, in the file's own time
        self._pictures = self._for_ever()
        self._pictures_read = 0
        self.tick = 0

    def read(self) -> DecodedPicture | WaitingPicture:
        """Block until the next picture is due; a clip never ends.

        Raises:
            SourceUnavailableError: The file cannot be decoded any more.
        """
        taken, clip_ns = next(self._pictures)
        capture_ns = self._pace.wait_until(clip_ns)
        self.tick = self._pictures_read + self._pace.missed
        self._pictures_read += 1
        self._pass_on_sound(clip_ns)
        return taken.as_picture(
            pts_ns=clip_ns, capture_ns=capture_ns, decoded_ns=capture_ns
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._container.close()

    def _for_ever(self) -> Iterator[tuple[Taken, int]]:
        """Yield each picture with its time in ns, which goes on over repetitions."""
        end_ns = 0
        while True:
            start_ns = self._round_ns = end_ns
            for taken, at_ns in self._once():
                clip_ns = end_ns if at_ns is None else start_ns + at_ns
                clip_ns = max(clip_ns, end_ns - self._period_ns // 2)
                end_ns = clip_ns + self._period_ns
                yield taken, clip_ns
            if end_ns == start_ns:
                raise SourceUnavailableError("no picture of the file can be decoded")
            self._rewind()

    def _once(self) -> Iterator[tuple[Taken, int | None]]:
        """Yield each picture with its time since the first one, where it has one."""
        stream, audio = self._container.streams.video[0], self._sound.stream
        decoder = Decoder(stream.codec_context, self._options, "the file is damaged")
        first_pts: int | None = None
        for packet in self._container.demux([one for one in (stream, audio) if one]):
            if packet.stream is audio:
                sound = self._sound.read(cast("av.Packet[av.AudioStream]", packet))
                if sound is not None:
                    self._sounds.append(sound)
                continue
            picture = cast("av.Packet[av.VideoStream]", packet)
            for taken in decoder.take(picture, self._options.now_ns()):
                at_ns = None
                if taken.pts is not None and stream.time_base is not None:
                    first_pts = taken.pts if first_pts is None else first_pts
                    at_ns = int((taken.pts - first_pts) * stream.time_base * NS_PER_S)
                    self._begin_ns = int(first_pts * stream.time_base * NS_PER_S)
                yield taken, at_ns

    def _rewind(self) -> None:
        # Seeking is for what cannot seek (raw H.264) no more certain than opening anew,
        # and opening takes a few ms: less than the period it has.
        self._container.close()
        self._container = open_clip(self._path)
        self._sound = Sound(self._container, self._options)
        self._sounds.clear()

    def _pass_on_sound(self, clip_ns: int) -> None:
        """Tell of what is heard until the next picture."""
        until_ns = clip_ns + self._period_ns
        while self._sounds:
            at_ns = self._round_ns + self._sounds[0].at_ns - self._begin_ns
            if at_ns >= until_ns:
                return
            self._sound.tell(self._sounds.popleft(), self._pace.at(at_ns))


def open_clip(path: str) -> InputContainer:
    """Open a file.

    Raises:
        SourceUnavailableError: There is no such file, it cannot be read, or holds no
            video; each says so.
    """
    _check(path)
    try:
        # The prefix and the list keep a path from being read as another protocol's URL.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except UnicodeDecodeError as exc:  # PyAV decodes metadata, whatever is in it
        raise SourceUnavailableError("the file is damaged") from exc
    except av.FFmpegError as exc:
        raise SourceUnavailableError("the file is not a video") from exc
    if not container.streams.video:
        container.close()
        raise SourceUnavailableError("the file has no video track")
    container.streams.video[0].thread_type = "NONE"
    return container


def _check(path: str) -> None:
    """Find out what is wrong with a path, in words better than the decoder's."""
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISREG(mode):
            Path(path).open("rb").close()
    except FileNotFoundError as exc:
        raise SourceUnavailableError("there is no such file") from exc
    except PermissionError as exc:
        raise SourceUnavailableError("the file may not be read") from exc
    except OSError as exc:
        reason = f"the file cannot be read: {exc.strerror}"
        raise SourceUnavailableError(reason) from exc
    if not stat.S_ISREG(mode):
        raise SourceUnavailableError("the path is not a file")


def _describe(container: InputContainer) -> SourceDescription:
    stream = container.streams.video[0]
    codec = stream.codec_context
    rate = stream.average_rate or stream.guessed_rate
    return SourceDescription(
        codec=codec.codec.canonical_name,
        width=codec.width,
        height=codec.height,
        fps=float(rate) if rate else _DEFAULT_FPS,
        has_b_frames=bool(codec.has_b_frames),
        transport="local",
    )
