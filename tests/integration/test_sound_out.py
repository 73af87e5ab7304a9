"""Those who watch otherwise than by WebRTC hear what the others hear, no more."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice, pairwise
from statistics import median
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.integration.test_hls import again
from tests.integration.test_sound import ZONE
from tests.sources.test_mpegts import free_port
from tests.support.appliance import Appliance
from tests.support.beeps import LOUD, beeping_encoder, offsets_s
from tests.support.hls_player import HlsPlayer
from tests.support.processes import eventually
from tests.support.rtmp_server import RtmpServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INDEX = "/streams/aac/hls/index.m3u8"
SYNC_S = 0.2  # 50 ms where nothing else runs
TOML = """
[rtsp]
port = {rtsp}

[streams.aac]
source = "udp://127.0.0.1:{aac}"
effects = []

[streams.opus]
source = "udp://127.0.0.1:{opus}"
effects = []
push = ["{server}/live/opus"]
"""

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with RtmpServer(tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="module")
def rtsp_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def appliance(
    tmp_path_factory: pytest.TempPathFactory, server: RtmpServer, rtsp_port: int
) -> Iterator[Appliance]:
    aac, opus = free_port(), free_port()
    toml = TOML.format(aac=aac, opus=opus, server=server.url, rtsp=rtsp_port)
    with (
        beeping_encoder(aac, "-c:a", "aac"),
        beeping_encoder(opus, "-c:a", "libopus"),
        Appliance(tmp_path_factory.mktemp("sound"), toml) as running,
    ):
        for name in ("aac", "opus"):
            eventually(lambda: running.stream(name)["state"] == "running")  # noqa: B023 # called here
        yield running


def record(url: str, file: Path, seconds: float) -> None:
    """Have ffmpeg copy a stream, of which it must not complain."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("apt install ffmpeg")
    command = [program, "-v", "error", "-i", url, "-t", str(seconds), "-c", "copy"]
    done = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, timeout=40, check=True
    )
    assert "error" not in done.stderr.lower()


def tracks(url: str) -> list[str]:
    """Return what there is to see and to hear."""
    options = {"analyzeduration": "500000", "rtsp_transport": "tcp"}
    with av.open(url, options=options) as container:
        return sorted(stream.type for stream in container.streams)


def assert_in_sync(file: Path, codec: str = "aac") -> None:
    with av.open(str(file)) as container:
        assert [s.codec_context.name for s in container.streams.audio] == [codec]
    offsets = offsets_s(str(file))
    assert len(offsets) >= 2
    # A picture has the time of its arrival, which a busy machine may delay at times.
    assert median(map(abs, offsets)) < SYNC_S


def test_hls_has_sound_in_sync(appliance: Appliance, tmp_path: Path) -> None:
    file = tmp_path / "copy.mkv"

    record(f"{appliance.url}/streams/opus/hls/index.m3u8", file, 4)

    assert_in_sync(file)


def test_what_was_heard_before_somebody_is_protected_is_not_served(
    appliance: Appliance, rtsp_port: int
) -> None:
    effects = "/api/v1/streams/aac/effects"
    with closing(HlsPlayer(appliance.url + INDEX, hears=True)) as player:
        player.begin()
        player.play(8)
        assert player.loudest() > LOUD
        former = [part.uri for part in player.parts]

        appliance.request("PUT", effects, [ZONE])
        try:
            answers = {player.fetch(uri).status_code for uri in former}
            assert answers == {410}
            since = len(player.parts)
            eventually(lambda: again(player))
            player.play(8)
            assert player.loudest(since) == 0
            # Who comes now has a track as well, for when it may be heard again.
            rtsp = f"rtsp://127.0.0.1:{rtsp_port}/aac"
            base = f"{appliance.url}/streams/aac"
            for url in (f"{base}/stream.ts", f"{base}/stream.mp4", rtsp):
                assert tracks(url) == ["audio", "video"]
            assert "TYPE=AUDIO" in appliance.request("GET", INDEX).text
        finally:
            appliance.request("PUT", effects, [])
        since = len(player.parts)
        eventually(lambda: again(player) and player.loudest(since) > LOUD)


def test_a_copy_of_hls_goes_on_in_sync_with_stricter_effects(
    appliance: Appliance, tmp_path: Path
) -> None:
    file = tmp_path / "copy.mkv"
    effects = "/api/v1/streams/opus/effects"
    url = f"{appliance.url}/streams/opus/hls/index.m3u8"

    with closing(HlsPlayer(url)) as player, ThreadPoolExecutor(1) as pool:
        player.begin()
        recorded = pool.submit(record, url, file, 8)
        player.play(30)  # what would begin at 0 again would be late by so much
        appliance.request("PUT", effects, [ZONE])
        try:
            recorded.result()
        finally:
            appliance.request("PUT", effects, [])

    with av.open(str(file)) as container:
        seen_s: list[float] = []
        heard_s: list[float] = []
        for packet in container.demux():
            if packet.pts is not None:
                is_sound = packet.stream.type == "audio"
                (heard_s if is_sound else seen_s).append(
                    float(packet.pts * packet.time_base)
                )
    assert seen_s[-1] == pytest.approx(heard_s[-1], abs=1)
    for times_s in (seen_s, heard_s):
        assert max(after - before for before, after in pairwise(times_s)) < 4


@pytest.mark.parametrize("kind", ["ts", "mp4"])
def test_a_recorder_has_sound_in_sync(
    appliance: Appliance, kind: str, tmp_path: Path
) -> None:
    file = tmp_path / "copy.mkv"

    record(f"{appliance.url}/streams/aac/stream.{kind}", file, 4)

    assert_in_sync(file)


def test_a_player_by_rtsp_may_want_sound_alone(
    appliance: Appliance, rtsp_port: int
) -> None:
    del appliance  # it runs
    url = f"rtsp://127.0.0.1:{rtsp_port}/aac"
    wants = {"rtsp_transport": "tcp", "allowed_media_types": "audio"}
    with av.open(url, options=wants, timeout=15) as container:
        assert [one.type for one in container.streams] == ["audio"]

        heard = islice(container.decode(audio=0), 60)

        assert max(float(np.abs(one.to_ndarray()).max()) for one in heard) > LOUD


@pytest.mark.parametrize(
    ("asked", "given"), [("0-1", ["0-1", "2-3"]), ("1-2", ["1-2", "4-5"])]
)
def test_tracks_by_rtsp_do_not_share_a_channel(
    appliance: Appliance, rtsp_port: int, asked: str, given: list[str]
) -> None:
    del appliance
    url = f"rtsp://127.0.0.1:{rtsp_port}/aac"
    setup = f"RTSP/1.0\r\nTransport: RTP/AVP/TCP;unicast;interleaved={asked}\r\n\r\n"
    said = f"DESCRIBE {url} RTSP/1.0\r\n\r\nSETUP {url}/trackID=0 {setup}"
    said += f"SETUP {url}/trackID=1 {setup}OPTIONS * RTSP/1.0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", rtsp_port), 15) as end:
        end.sendall(said.encode())
        answered = ""
        while "Public:" not in answered:
            answered += end.recv(4096).decode()
    assert re.findall(r"interleaved=(\S+)", answered) == given


def test_a_player_by_rtsp_has_sound_in_sync(
    appliance: Appliance, rtsp_port: int, tmp_path: Path
) -> None:
    del appliance  # it runs
    file = tmp_path / "copy.mkv"

    record(f"rtsp://127.0.0.1:{rtsp_port}/aac", file, 4)

    assert_in_sync(file)


def test_a_push_has_sound_in_sync(
    appliance: Appliance, server: RtmpServer, tmp_path: Path
) -> None:
    def is_running() -> bool:
        pushes = appliance.stream("opus")["pushes"]
        assert isinstance(pushes, list)
        return bool(pushes[0]["state"] == "running")

    eventually(is_running, 30)
    file = tmp_path / "copy.mkv"
    record(f"{server.url}/live/opus", file, 4)
    assert_in_sync(file)
