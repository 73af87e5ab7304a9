"""A player of low-latency HLS that keeps all it gets, and decodes it when asked."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin

import av
import httpx
import m3u8
import numpy as np

from ooblexd.sources.pixelclock import read_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_PLAYLIST_WITHIN_S = 15.0


class Got(NamedTuple):
    """A part, and the init segment that it needs."""

    uri: str
    init: str
    data: bytes


class HlsPlayer:
    """Plays one stream, as long as it is asked for more.

    Args:
        url: Of ``index.m3u8``.
        hears: It plays the sound instead of the pictures.

    Attributes:
        parts: All that it has, in order.
        playlist: The newest.
    """

    def __init__(self, url: str, *, hears: bool = False) -> None:
        self._hears = hears
        self.parts: list[Got] = []
        self.playlist: Any = None
        self._url = url
        self._media_url = ""
        self._inits: dict[str, bytes] = {}
        self._client = httpx.Client(timeout=_PLAYLIST_WITHIN_S)

    def begin(self) -> None:
        """Read both playlists, and fetch the newest part.

        Raises:
            httpx.HTTPError: There is none.
        """
        index = m3u8.loads(self._text(self._url))
        chosen = index.media if self._hears else index.playlists
        self._media_url = urljoin(self._url, chosen[0].uri)
        self._take(self._text(self._media_url), newest_only=True)

    def play(self, parts: int) -> None:
        """Wait for further parts, each as soon as it is there.

        Raises:
            httpx.HTTPError: What was promised did not come.
        """
        wanted = len(self.parts) + parts
        while len(self.parts) < wanted:
            number, index, _ = self.playlist.preload_hint.uri.split(".")[-3:]
            mark = "?" if self._hears else "&"
            url = f"{self._media_url}{mark}_HLS_msn={number}&_HLS_part={index}"
            self._take(self._text(url))

    def fetch(self, uri: str) -> httpx.Response:
        """Ask for a file by its name in the playlist."""
        return self._client.get(urljoin(self._media_url, uri))

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """Decode all parts from the first keyframe on; BGR."""
        for init, run in itertools.groupby(self.parts, lambda part: part.init):
            media = self._inits[init] + b"".join(part.data for part in run)
            with av.open(io.BytesIO(media), "r", format="mp4") as container:
                for frame in container.decode(video=0):
                    yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)

    def loudest(self, since: int = 0) -> float:
        """Return the largest sample of all parts from that number on; 1 at most."""
        peak = 0.0
        for init, run in itertools.groupby(self.parts[since:], lambda part: part.init):
            media = self._inits[init] + b"".join(part.data for part in run)
            with av.open(io.BytesIO(media), "r", format="mp4") as container:
                for frame in container.decode(audio=0):
                    peak = max(peak, float(np.abs(frame.to_ndarray()).max()))
        return peak

    def numbers(self) -> list[int]:
        """Return the number in the pixels of each picture that shows one."""
        stamps = [read_stamp(picture[:, :, 1]) for picture in self.pictures()]
        return [stamp.sequence for stamp in stamps if stamp is not None]

    def last_numbers(self) -> list[int | None]:
        """Return the number in the pixels of the last picture of each part."""
        pictures = self.pictures()
        found: list[int | None] = []
        for part in self.parts:
            for _ in range(part.data.count(b"moof")):  # a picture each
                picture = next(pictures)
            stamp = read_stamp(picture[:, :, 1])
            found.append(stamp.sequence if stamp else None)
        return found

    def close(self) -> None:
        """Leave."""
        self._client.close()

    def _text(self, url: str) -> str:
        answer = self._client.get(url)
        answer.raise_for_status()
        return answer.text

    def _take(self, text: str, *, newest_only: bool = False) -> None:
        self.playlist = m3u8.loads(text)
        known = {part.uri for part in self.parts}
        newest = self.playlist.segment_map[-1]  # for the segment that still grows
        listed = [
            ((segment.init_section or newest).uri, part)
            for segment in self.playlist.segments
            for part in segment.parts
        ]
        starts = [n for n, (_, part) in enumerate(listed) if part.independent]
        held = [n for n, (_, part) in enumerate(listed) if part.uri in known]
        if held:
            listed = listed[held[-1] + 1 :]
        elif starts:  # begin where one can
            listed = listed[starts[-1 if newest_only else 0] :]
        for init, part in listed:
            if init not in self._inits:
                self._inits[init] = self.fetch(init).raise_for_status().content
            data = self.fetch(part.uri).raise_for_status().content
            self.parts.append(Got(part.uri, init, data))
