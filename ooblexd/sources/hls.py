"""HLS, pulled from any web server: segments of MPEG-TS or fragmented MP4.

FFmpeg reads the playlist, and begins with its newest segment; players begin with the
third from the end and are two segments older. Picture by picture it is shown by
`sources.playout`, so it is about one segment old, which the format does not allow to be
less: a segment is listed when it is complete. What a picture's age tells begins when it
is due, since nobody knows when it was taken. Sound waits for the picture of its moment.

A playlist may list others: of several sizes the first is read, of several languages the
one that is the default, and nothing else.

A playlist is what a stranger wrote. Its segments are opened by HTTP and by nothing
else, whatever it names: no file of this machine, no other protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av.stream

from ooblexd.clock import NS_PER_S
from ooblexd.sources.arrivals import Arrival, Arrivals
from ooblexd.sources.network import Address, NetworkSource
from ooblexd.sources.playout import Playout
from ooblexd.sources.readahead import ReadAhead, time_of
from ooblexd.sources.sound_ahead import SoundAhead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.sources.decoding import Taken
    from ooblexd.sources.options import SourceOptions

_IS_SELECTIVE = hasattr(av.stream, "Discard")  # PyAV 18, for Python 3.11
_PORTS = {"http": 80, "https": 443}
_PATIENCE_S = 60.0  # a segment lasts as long as its server likes
_SERVER_WITHIN_US = 5_000_000


class HlsSource(NetworkSource):
    """A `ooblexd.sources.Source` over a playlist.

    Args:
        url: Of the playlist.
        options: How it is read.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.
    """

    def __init__(self, url: str, options: SourceOptions) -> None:
        super().__init__(hls_address(url), options)

    def close(self) -> None:
        """Close; FFmpeg ends after what it waits for. A second call does nothing."""
        self._ahead.stop()
        super().close()

    def _start(self) -> Arrivals:
        wanted = (self._stream, self._sound.stream)
        for stream in self._container.streams:
            if stream not in wanted and _IS_SELECTIVE:
                # Else it would be fetched all the same.
                stream.discard = av.stream.Discard.all
        self._offset_ns = 0  # of our clock to the source's
        playout = Playout(is_live=not self._container.duration)
        close, now_ns = self._container.close, self._options.now_ns
        self._sounds = SoundAhead(self._sound.tell, self._options.on_left_out)
        self._ahead = ReadAhead(self._packets(), close, playout, now_ns)
        return Arrivals(self._played(), self._ahead.stop)

    def _captured_ns(self, taken: Taken) -> int:
        """Say when a picture is due: of B-frames, later than its packet."""
        if taken.pts is None or self._time_base is None:
            return taken.arrival_ns
        shown_ns = int(taken.pts * self._time_base * NS_PER_S) + self._offset_ns
        is_sure = abs(shown_ns - taken.arrival_ns) < NS_PER_S
        now_ns = self._options.now_ns()
        return min(shown_ns, now_ns) if is_sure else taken.arrival_ns

    def _hear(self, packet: av.Packet[av.AudioStream], now_ns: int) -> None:
        del now_ns  # that is when its segment came
        sound = self._sound.read(packet)
        if sound is not None:
            self._sounds.put(sound)

    def _note(self, picture: av.Packet[av.VideoStream], now_ns: int) -> None:
        del now_ns
        time_ns = time_of(picture)
        if time_ns is not None:
            self._sounds.note_picture(time_ns)

    def _played(self) -> Iterator[Arrival]:
        """Yield each picture when it is due, and hand on the sound of its moment."""
        for arrival, due_ns in self._ahead.due():
            time_ns = time_of(arrival.packet)
            if time_ns is not None:
                self._offset_ns = due_ns - time_ns
                self._sounds.play(time_ns, due_ns)
            yield arrival


def hls_address(url: str) -> Address:
    """Return where a playlist is."""
    return Address(
        url=url,
        default_port=_PORTS[url.partition(":")[0].lower()],
        transport="http",
        patience_s=_PATIENCE_S,
        av_options={
            "live_start_index": "-1",
            # Each time half a segment after the one before: three segments of nothing.
            "m3u8_hold_counters": "6",
            "rw_timeout": str(_SERVER_WITHIN_US),
            "format_whitelist": "hls,mpegts,mov,aac,ac3,eac3,mp3,webvtt",
            # The last is for encrypted segments, and opens them by the others only.
            "protocol_whitelist": "http,https,tcp,tls,crypto",
        },
    )
