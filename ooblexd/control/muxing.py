"""PyAV, loaded once somebody wants a container; and what MP4 consists of."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from ooblexd.errors import MuxerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.muxer import AudioMuxer, Muxer


async def load_muxer() -> None:
    """Load `ooblexd.muxer`, in a thread: viewers must not wait for that."""
    await asyncio.to_thread(importlib.import_module, "ooblexd.muxer")


def open_mp4(width: int, height: int, origin_ns: int | None = None) -> Muxer:
    """Return a muxer of fragmented MP4; `load_muxer` has come before."""
    from ooblexd.muxer import Container, Muxer  # noqa: PLC0415 # PyAV

    return Muxer(Container.MP4, width, height, origin_ns)


def open_mpeg_ts(width: int, height: int) -> Muxer:
    """Return a muxer of MPEG-TS; likewise."""
    from ooblexd.muxer import Container, Muxer  # noqa: PLC0415 # PyAV

    return Muxer(Container.MPEG_TS, width, height)


def open_audio_mp4(rate_hz: int, channels: int) -> AudioMuxer:
    """Return a muxer of AAC in fragmented MP4; likewise."""
    from ooblexd.muxer import AudioMuxer, Container  # noqa: PLC0415 # PyAV

    return AudioMuxer(Container.MP4, rate_hz, channels)


def open_audio_mpeg_ts(rate_hz: int, channels: int) -> AudioMuxer:
    """Return a muxer of AAC in MPEG-TS; likewise."""
    from ooblexd.muxer import AudioMuxer, Container  # noqa: PLC0415 # PyAV

    return AudioMuxer(Container.MPEG_TS, rate_hz, channels)


def split_init(data: bytes) -> tuple[bytes, bytes]:
    """Split MP4 before its first fragment: into the init segment, and the rest."""
    at = 0
    while at < len(data) and data[at + 4 : at + 8] != b"moof":
        at += int.from_bytes(data[at : at + 4], "big")
    return data[:at], data[at:]


def join_inits(pictures: bytes, sound: bytes) -> bytes:
    """Return one init segment of two tracks, each of which has its own.

    Args:
        pictures: With the first track.
        sound: With the second.
    """
    of_sound = dict(_boxes(dict(_boxes(sound))[b"moov"]))
    joined = []
    for kind, body in _boxes(dict(_boxes(pictures))[b"moov"]):
        if kind == b"mvex":
            joined.append(_box(b"trak", of_sound[b"trak"]))
            joined.append(_box(b"mvex", body + of_sound[b"mvex"]))
        elif kind == b"mvhd":  # ends with the number of the next track
            joined.append(_box(b"mvhd", body[:-4] + (3).to_bytes(4, "big")))
        else:
            joined.append(_box(kind, body))
    moov = _box(b"moov", b"".join(joined))
    return b"".join(
        moov if kind == b"moov" else _box(kind, body) for kind, body in _boxes(pictures)
    )


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        end = at + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : end]
        at = end


def _box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def codecs_of(init: bytes) -> str:
    """Return what an init segment's H.264 is called (RFC 6381, section 3.3).

    Raises:
        MuxerError: It has no parameter sets.
    """
    box, found, _ = init.partition(b"avcC")
    if not found:
        raise MuxerError("mp4: no parameter sets before the first picture")
    at = len(box) + len(found) + 1  # behind the version
    return f"avc1.{init[at : at + 3].hex().upper()}"
