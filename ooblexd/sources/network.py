"""What all sources over a network share: opened, read and explained by FFmpeg.

Decoding is single-threaded: frame threads would hold back whole frames (2.4 ms of a
1080p picture instead of 2.3 ms, and one frame of delay a thread). FFmpeg's analysis of
a stream, seconds long by default, is cut to nothing: the session description and the
first packets say what a decoder needs, and each analysed second would be a second of
age at the start.
"""

from __future__ import annotations

import queue
import socket
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote, urlsplit

import av
from av.codec.context import Flags

from ooblexd.clock import NS_PER_S
from ooblexd.errors import SourceError, SourceUnavailableError
from ooblexd.sources.arrivals import Arrival, Arrivals, first_of_use
from ooblexd.sources.decoding import Decoder, Taken
from ooblexd.sources.options import SourceDescription, SourceOptions
from ooblexd.sources.reasons import explain, ffmpeg_messages, without_secrets
from ooblexd.sources.sound import Sound, tell_left_out
from ooblexd.sources.url import split_login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.container import InputContainer

    from ooblexd.sources import Picture


_ENCODE = "; write @ / # ? of a password as %40 %2F %23 %3F"
_US_PER_S = 1_000_000
_MOST_FPS = 1000  # more is the clock of a stream that does not tell its rate


@dataclass(frozen=True, slots=True)
class Address:
    """Where a network source is, and what FFmpeg is told about it.

    Attributes:
        url: With its login; never shown.
        default_port: Of its scheme.
        transport: For the description.
        av_options: FFmpeg's options for its demuxer and protocols.
        patience_s: How long nothing may come, where that is longer than others may.
        second_look_s: For how long it is looked for a video track once more, where
            none was found; 0 is not at all.
    """

    url: str
    default_port: int
    transport: str
    av_options: dict[str, str]
    patience_s: float = 0.0
    second_look_s: float = 0.0


class NetworkSource:
    """A `ooblexd.sources.Source` that FFmpeg reads from a network.

    It is open when its first picture is decoded: nothing less proves a camera, and
    pictures can be decoded from a keyframe on only, which may take its time.

    Args:
        address: Where it is.
        options: How it is read.
        open_it: Opens it where `open_container` is not what does.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.

    Attributes:
        description: What the source said of itself.
    """

    def __init__(
        self,
        address: Address,
        options: SourceOptions,
        open_it: Callable[[Address, SourceOptions], InputContainer] | None = None,
    ) -> None:
        self._options = options
        self._deadline_ns = options.now_ns() + _ns(options.open_timeout_s)
        self._container = (open_it or open_container)(address, options)
        self._stream = self._container.streams.video[0]
        # Whoever reads closes the container, and nothing of it may be asked then.
        self._time_base = self._stream.time_base
        self.description = _describe(self._container, address.transport)
        self._sound = Sound(self._container, options)
        tell_left_out(self._container, options)
        self._skims = is_intra_only(self._stream.codec_context)
        self._decoder = Decoder(self._stream.codec_context, options)
        self._patience_s = max(options.read_timeout_s, address.patience_s)
        self._arrivals = self._start()
        self._pictures = self._taken()
        try:
            self._first: Taken | None = next(self._pictures)
            self.description = _seen(self.description, self._stream.codec_context)
        except SourceError:
            self._arrivals.close()
            raise

    def read(self) -> Picture:
        """Block until the next picture that the rate admits.

        Raises:
            SourceUnavailableError: It ended, nothing came for ``read_timeout_s``, or
                nothing that came could be decoded.
        """
        self._extend_deadline()
        taken = self._first or next(self._pictures)
        self._first = None
        if self._decoder.is_reordering and not self.description.has_b_frames:
            # Not every stream says so beforehand.
            self.description = replace(self.description, has_b_frames=True)
        pts_ns = 0
        if taken.pts is not None and self._time_base is not None:
            pts_ns = int(taken.pts * self._time_base * NS_PER_S)
        return taken.as_picture(
            pts_ns=pts_ns,
            capture_ns=self._captured_ns(taken),
            decoded_ns=self._options.now_ns(),
        )

    def close(self) -> None:
        """Say goodbye and close the connection; a second call does nothing."""
        self._arrivals.close()

    def _start(self) -> Arrivals:
        """Begin to read."""
        return Arrivals(self._packets(), self._container.close)

    def _taken(self) -> Iterator[Taken]:
        """Yield each picture that is wanted."""
        late = 0
        while True:
            for arrival, is_newest in self._worth_decoding(self._arrivals.take()):
                is_wanted = is_newest and self._is_wanted(arrival)
                if not is_wanted:
                    self._extend_deadline()
                    if self._skims:
                        continue
                yield from self._decoder.take(
                    arrival.packet, arrival.at_ns, is_wanted=is_wanted
                )
            # One packet may be what the demuxer lets go of before it says why it ends.
            late = late + 1 if self._options.now_ns() > self._deadline_ns else 0
            if late > 1:
                raise SourceUnavailableError("no picture in what arrives")

    def _is_wanted(self, arrival: Arrival) -> bool:
        return not self._decoder.is_synced or self._options.rate.admits(arrival.at_ns)

    def _worth_decoding(self, waiting: list[Arrival]) -> Iterator[tuple[Arrival, bool]]:
        """Yield what is to be decoded, and whether its picture is the newest."""
        first = first_of_use(
            waiting,
            self._decoder.begins_anew,
            is_intra_only=self._skims,
            cost_ns=self._decoder.cost_ns,
        )
        if first and not self._skims:
            self._decoder.leave_out()
        for place, arrival in enumerate(waiting):
            is_newest = arrival is waiting[-1]
            if not is_newest or place < first:
                self._options.on_passed_over()
            if place >= first:
                yield arrival, is_newest

    def _extend_deadline(self) -> None:
        """Something came, if nothing that is wanted."""
        self._deadline_ns = self._options.now_ns() + _ns(self._options.read_timeout_s)

    def _packets(self) -> Iterator[Arrival]:
        """Yield what comes; by the thread of its own."""
        sound = self._sound
        tracks = [track for track in (self._stream, sound.stream) if track]
        packets = self._container.demux(tracks)
        while True:
            try:
                packet = next(packets)
            except av.FFmpegError as exc:
                reason = explain(exc, waited_s=self._patience_s)
                raise reason from without_secrets(exc)
            except StopIteration:
                break
            if packet.size == 0:  # PyAV's mark for the end
                break
            now_ns = self._options.now_ns()
            if packet.stream is sound.stream:
                self._hear(cast("av.Packet[av.AudioStream]", packet), now_ns)
                continue
            picture = cast("av.Packet[av.VideoStream]", packet)
            self._note(picture, now_ns)
            yield Arrival(picture, now_ns)

    def _captured_ns(self, taken: Taken) -> int:
        """Say when a picture was taken, as far as is known."""
        return taken.arrival_ns

    def _hear(self, packet: av.Packet[av.AudioStream], now_ns: int) -> None:
        """Do what is to be done with sound that has come."""
        self._sound.pass_on(packet, now_ns)

    def _note(self, picture: av.Packet[av.VideoStream], now_ns: int) -> None:
        """Learn from a picture that has come."""
        self._sound.note_picture(picture, now_ns)


def open_container(
    address: Address, options: SourceOptions, start_ns: int | None = None
) -> InputContainer:
    """Connect, and find the video track.

    Args:
        address: Where it is.
        options: Their ``open_timeout_s`` is the limit.
        start_ns: Since when it is tried; None is now.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.
    """
    start_ns = options.now_ns() if start_ns is None else start_ns
    resolve(address, options.open_timeout_s)
    container = _connect(address, options, start_ns)
    if not container.streams.video and address.second_look_s:
        container.close()
        longer = {"analyzeduration": str(int(address.second_look_s * _US_PER_S))}
        patient = replace(address, av_options={**address.av_options, **longer})
        container = _connect(patient, options, start_ns)
    try:
        prepare(container)
    except SourceError:
        container.close()
        raise
    return container


def _connect(address: Address, options: SourceOptions, start_ns: int) -> InputContainer:
    left_s = options.open_timeout_s - (options.now_ns() - start_ns) / NS_PER_S
    with ffmpeg_messages() as messages:
        try:
            return av.open(
                quoted(address.url),
                timeout=(
                    max(left_s, 0.1),
                    max(options.read_timeout_s, address.patience_s),
                ),
                options={"analyzeduration": "1", **address.av_options},
            )
        except av.FFmpegError as exc:
            is_late = options.now_ns() - start_ns > options.open_timeout_s * NS_PER_S
            reason = explain(
                exc, messages, waited_s=options.open_timeout_s, is_late=is_late
            )
            raise reason from without_secrets(exc)


def is_intra_only(codec: av.VideoCodecContext) -> bool:
    """Say whether each picture can be decoded without any other."""
    return bool(codec.codec.intra_only)


def resolve(address: Address, timeout_s: float) -> None:
    """Find out whether the host's name has an address, for a better reason than EIO.

    The resolver cannot be interrupted, hence the thread, which ends with the resolver.

    Raises:
        SourceUnavailableError: The name is unknown, or nobody answers.
    """
    parts = urlsplit(quoted(address.url))
    host = parts.hostname or ""
    # Where an @ is left, the host may be a piece of a password that was not encoded.
    is_doubtful = "@" in split_login(address.url)[2]
    named = _ENCODE if is_doubtful else f" {host}"
    answers: queue.SimpleQueue[OSError | UnicodeError | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            socket.getaddrinfo(host, address.default_port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            answers.put(exc)
        else:
            answers.put(None)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        error = answers.get(timeout=timeout_s)
    except queue.Empty as exc:
        raise SourceUnavailableError(f"nobody knows the host{named} in time") from exc
    if error is not None:
        raise SourceUnavailableError(f"there is no host{named}") from error


def prepare(container: InputContainer) -> None:
    """See that there is video, and have it decoded without delay.

    Raises:
        SourceUnavailableError: There is none, or none that can be decoded.
    """
    if not container.streams.video:
        raise SourceUnavailableError("there is no video track")
    stream = container.streams.video[0]
    if getattr(stream, "codec_context", None) is None:
        raise SourceUnavailableError("its video codec is not supported")
    stream.thread_type = "NONE"
    stream.codec_context.flags |= Flags.low_delay


def _describe(container: InputContainer, transport: str) -> SourceDescription:
    stream = container.streams.video[0]
    codec = stream.codec_context
    rate = stream.average_rate or stream.guessed_rate
    return SourceDescription(
        codec=codec.codec.canonical_name,
        width=codec.width,
        height=codec.height,
        fps=float(rate) if rate and rate <= _MOST_FPS else 0.0,
        has_b_frames=bool(codec.has_b_frames),
        transport=transport,
        pixel_format=codec.pix_fmt or "",
    )


def _seen(said: SourceDescription, codec: av.VideoCodecContext) -> SourceDescription:
    """Add what the first picture has told."""
    return replace(
        said,
        width=codec.width,
        height=codec.height,
        has_b_frames=bool(codec.has_b_frames),
        pixel_format=codec.pix_fmt or "",
    )


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def quoted(url: str) -> str:
    """Percent-encode what users forget to encode in a login."""
    scheme, userinfo, place = split_login(url)
    if not userinfo:
        return f"{scheme}://{place}"
    user, colon, password = userinfo.partition(":")
    login = colon.join(
        quote(unquote(part), safe="")
        for part in ((user, password) if colon else (user,))
    )
    return f"{scheme}://{login}@{place}"
