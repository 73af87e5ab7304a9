"""Sound of real encoders and cameras, and when it was heard."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.sources import SourceOptions, open_source
from ooblexd.sources.media_clock import MediaClock
from tests.sources.test_mpegts import free_port
from tests.sources.test_published import published, read_soon
from tests.support.beeps import BRIGHT, LOUD, beeping, beeping_encoder, beginnings
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from ooblexd.plan import ListenProtocol
    from ooblexd.sources import Source

OPTIONS = SourceOptions(open_timeout_s=15.0, read_timeout_s=15.0)


def test_what_arrives_late_is_as_old_as_what_arrived_in_time() -> None:
    clock = MediaClock()
    for picture in range(30):
        late_ns = 0 if picture % 3 else 80 * NS_PER_MS
        clock.note(picture * 33 * NS_PER_MS, picture * 33 * NS_PER_MS + late_ns + 7)

    heard_ns = clock.at(1000 * NS_PER_MS, 1200 * NS_PER_MS)

    assert abs(heard_ns - 1000 * NS_PER_MS) < 2 * NS_PER_MS


def test_a_source_that_counts_anew_is_followed() -> None:
    clock = MediaClock()
    clock.note(3600 * NS_PER_S, 10 * NS_PER_S)
    clock.note(0, 11 * NS_PER_S)

    assert clock.at(NS_PER_S, 12 * NS_PER_S) == 12 * NS_PER_S


def test_without_a_picture_sound_has_the_time_of_its_arrival() -> None:
    assert MediaClock().at(5, 7 * NS_PER_S) == 7 * NS_PER_S


def watch(source: Source, heard: list[AudioPacket]) -> list[tuple[int, bool]]:
    """Return of each picture of six seconds its time and if it flashes."""
    seen = []
    for _ in range(150):
        picture = read_soon(source)
        seen.append((picture.capture_ns, picture.planes().y.mean() > BRIGHT))
    assert heard
    return seen


def listen(*codec: str) -> tuple[list[AudioPacket], list[tuple[int, bool]]]:
    """Return six seconds of sound, and of each picture its time and if it flashes."""
    heard: list[AudioPacket] = []
    port = free_port()
    with beeping_encoder(port, *codec):
        options = replace(OPTIONS, on_audio=heard.append)
        source = open_source(f"udp://127.0.0.1:{port}", options)
        seen = watch(source, heard)
        source.close()
    return heard, seen


def loud(packets: list[AudioPacket], name: str) -> list[int]:
    """Return the times of the packets in which something is to be heard."""
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    decoder.extradata = packets[0].setup or None
    return [
        packet.at_ns
        for packet in packets
        for frame in decoder.decode(av.Packet(packet.data))
        if np.abs(frame.to_ndarray().astype(np.float32)).max() > LOUD
    ]


@pytest.mark.parametrize("codec", [AudioCodec.AAC, AudioCodec.OPUS])
def test_a_beep_has_the_time_of_its_flash(codec: AudioCodec) -> None:
    encoders = {AudioCodec.AAC: "aac", AudioCodec.OPUS: "libopus"}
    heard, seen = listen("-c:a", encoders[codec], "-ac", "1")

    assert {(one.codec, one.sample_rate) for one in heard} == {(codec, 48_000)}
    assert_in_sync(heard, seen)


@pytest.mark.parametrize("protocol", ["rtmp", "rtsp"])
def test_who_publishes_is_heard_when_it_is_seen(protocol: ListenProtocol) -> None:
    heard: list[AudioPacket] = []
    form = {"rtmp": "flv", "rtsp": "rtsp"}[protocol]
    listening = published(protocol, replace(OPTIONS, on_audio=heard.append))
    with listening as (source, url), beeping("-c:a", "aac", "-f", form, url):
        seen = watch(source, heard)

    assert {(one.codec, one.sample_rate) for one in heard} == {(AudioCodec.AAC, 48_000)}
    assert_in_sync(heard, seen)


def assert_in_sync(
    heard: list[AudioPacket], seen: list[tuple[int, bool]], within_s: float = 0.15
) -> None:
    """Compare each flash that was seen with the beep next to it.

    A busy machine passes a picture over, and with two or three of them a whole flash;
    and where it stops for a second, one is as late as that.
    """
    flashes = beginnings(at_ns / NS_PER_S for at_ns, is_flash in seen if is_flash)
    named = heard[0].codec.name.lower()
    beeps = beginnings(at_ns / NS_PER_S for at_ns in loud(heard, named))
    offsets_s = [
        min(abs(beep_s - flash_s) for beep_s in beeps)
        for flash_s in flashes
        if seen[10][0] < flash_s * NS_PER_S < seen[-10][0]
    ]
    assert len(offsets_s) >= 3
    assert median(offsets_s) < within_s


def test_a_file_is_heard_as_it_is_seen_round_after_round(tmp_path: Path) -> None:
    file = tmp_path / "beeps.mp4"
    with beeping("-c:a", "aac", "-t", "2", str(file)):
        eventually(lambda: is_whole(file))
    heard: list[AudioPacket] = []
    source = open_source(f"file:{file}", replace(OPTIONS, on_audio=heard.append))

    seen = watch(source, heard)

    source.close()
    assert heard[-1].at_ns - heard[0].at_ns > 2.5 * NS_PER_S
    assert_in_sync(heard, seen)


def is_whole(file: Path) -> bool:
    """Say whether it has been written to its end, where MP4 has its table."""
    return file.exists() and b"moov" in file.read_bytes()
