"""Those who watch by HLS, or pull a container, see what the others see, no more."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

import av
import cv2
import httpx
import numpy as np
import pytest

from tests.integration.test_rtsp_playing import taken_since
from tests.support.appliance import Appliance
from tests.support.centerface import pictures_with_faces
from tests.support.faults import hit, is_replaced
from tests.support.hls_player import HlsPlayer
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

TOML = """
[streams.bare]
source = "demo:"
max_fps = 10
effects = []

[streams.plain]
source = "demo:"
max_fps = 10
effects = []

[streams.off]
source = "demo:"
enabled = false
"""

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("hls"), TOML) as running:
        yield running


@pytest.fixture
def player(appliance: Appliance) -> Iterator[HlsPlayer]:
    with contextlib.closing(HlsPlayer(index_of(appliance, "plain"))) as playing:
        yield playing


def index_of(appliance: Appliance, stream: str) -> str:
    return f"{appliance.url}/streams/{stream}/hls/index.m3u8"


def ffmpeg(url: str, seconds: float, *output: str) -> subprocess.CompletedProcess[str]:
    """Read a stream for that long; ffmpeg must not complain of anything."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("apt install ffmpeg")
    command = [program, "-v", "error", "-i", url, "-t", str(seconds), *output]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    )


def viewers(appliance: Appliance, protocol: str, stream: str = "plain") -> float:
    text = appliance.request("GET", "/metrics").text
    start = f'ooblexd_viewers{{protocol="{protocol}",stream="{stream}"}} '
    return next(
        float(line.removeprefix(start))
        for line in text.splitlines()
        if line.startswith(start)
    )


def again(player: HlsPlayer) -> bool:
    """Play a little, as a player does that lost its server for a while."""
    try:
        player.begin()
        player.play(3)
    except httpx.HTTPError:
        return False
    return True


def test_every_picture_comes_once_and_in_order(
    appliance: Appliance, player: HlsPlayer
) -> None:
    player.begin()
    player.play(12)

    numbers = player.numbers()
    assert len(numbers) > 15
    steps = np.diff(numbers)
    assert (steps >= 0).all()
    # One comes again where a keyframe was due and the next was late.
    assert (steps == 0).sum() <= len(numbers) // 10
    assert viewers(appliance, "hls") == 1
    whole = next(s for s in player.playlist.segments if s.uri and s.parts)
    parts = b"".join(player.fetch(part.uri).content for part in whole.parts)
    assert player.fetch(whole.uri).content == parts


def test_ffmpeg_plays_it_as_any_other_hls(appliance: Appliance) -> None:
    done = ffmpeg(index_of(appliance, "plain"), 2, "-f", "framemd5", "-")

    pictures = [line for line in done.stdout.splitlines() if line[:1] == "0"]
    assert len(pictures) > 3
    assert "error" not in done.stderr.lower()


@pytest.mark.parametrize("path", ["hls/index.m3u8", "stream.ts", "stream.mp4"])
def test_vlc_plays_it(appliance: Appliance, path: str) -> None:
    program = shutil.which("vlc")
    if program is None:
        pytest.skip("apt install vlc-bin vlc-plugin-base")
    # It refuses to run as root, and has its own demuxers for each of these.
    home = Path(tempfile.mkdtemp())
    home.chmod(0o777)
    nobody = 65534 if os.geteuid() == 0 else None
    show = "-I dummy -V dummy --no-audio --run-time=3 --play-and-exit"
    save = f"--video-filter=scene --scene-ratio=5 --scene-path={home}"
    url = f"{appliance.url}/streams/plain/{path}"
    command = [program, *show.split(), *save.split(), url, "vlc://quit"]
    try:
        environment = {**os.environ, "HOME": str(home)}
        subprocess.run(
            command,
            user=nobody,
            env=environment,
            capture_output=True,
            timeout=40,
            check=True,
        )
        read = [cv2.imread(str(found)) for found in sorted(home.glob("*.png"))]
    finally:
        shutil.rmtree(home)
    pictures = [picture for picture in read if picture is not None]
    assert len(pictures) >= 3
    assert {picture.shape[1] for picture in pictures} == {1280}  # 18 rows are VLC's
    assert pictures[-1].std() > 20, "it is one colour"
    assert len({picture.tobytes() for picture in pictures}) >= 3


@pytest.mark.parametrize("kind", ["ts", "mp4"])
def test_a_recorder_pulls_a_file_that_can_be_read(
    appliance: Appliance, kind: str, tmp_path: Path
) -> None:
    url = f"{appliance.url}/streams/plain/stream.{kind}"
    copy = tmp_path / "copy.mkv"

    ffmpeg(url, 2, "-c", "copy", str(copy))

    with av.open(str(copy)) as container:
        assert len(list(container.decode(video=0))) > 8
    with httpx.stream("GET", url, timeout=15) as answer:
        pieces = answer.iter_raw()
        head = next(pieces)
        eventually(lambda: viewers(appliance, kind) == 1)
        assert head[:1] == b"\x47" if kind == "ts" else head[4:8] == b"ftyp"
    eventually(lambda: viewers(appliance, kind) == 0)
    head_only = httpx.head(url)
    assert head_only.status_code == 200
    assert head_only.headers["content-type"].startswith("video/mp")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody/hls/index.m3u8", 404),
        ("nobody/stream.ts", 404),
        ("off/hls/index.m3u8", 503),
        ("off/stream.mp4", 503),
        ("plain/hls/other.m3u8", 404),
        ("plain/hls/live.m3u8?_HLS_msn=-1", 400),
        ("plain/hls/sound.m3u8?_HLS_msn=1", 503),  # it has none
        ("plain/hls/live.m3u8?_HLS_part=1", 400),
        ("plain/hls/live.m3u8?_HLS_msn=999999999999", 400),
        ("plain/hls/999999999999.m4s", 404),
        ("plain/hls/0.m4s", 410),
        ("plain/hls/init.0.mp4", 410),
        ("plain/stream.ts?width=2", 422),
    ],
)
def test_what_cannot_be_is_a_problem(
    appliance: Appliance, path: str, status: int
) -> None:
    answer = appliance.request("GET", f"/streams/{path}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_from_the_answer_to_a_stricter_chain_on_nothing_former_is_served(
    appliance: Appliance,
) -> None:
    with contextlib.closing(HlsPlayer(index_of(appliance, "bare"))) as player:
        player.begin()
        player.play(6)
        segments = player.playlist.segments
        former = [part.uri for segment in segments for part in segment.parts]
        former += [segment.uri for segment in segments if segment.uri]
        assert player.fetch(former[-1]).status_code == 200

        chain = ["blur_faces"]
        appliance.request("PUT", "/api/v1/streams/bare/effects", chain)
        answers = {player.fetch(uri).status_code for uri in former}
        assert answers == {410}

        before = len(player.parts)
        eventually(lambda: again(player))
        listed = {p.uri for s in player.playlist.segments for p in s.parts}
        assert not listed & set(former)
        del player.parts[:before]
        player.play(8)
        jpegs = [
            cv2.imencode(".jpg", picture)[1].tobytes() for picture in player.pictures()
        ]
    assert len(jpegs) > 10
    assert not pictures_with_faces(jpegs)


def test_of_the_former_chain_nothing_comes_after_the_answer(
    appliance: Appliance,
) -> None:
    path = "/api/v1/streams/plain/effects"
    together = Barrier(2, timeout=30)

    def jpegs_around_the_answer(kind: str) -> list[bytes]:
        url = f"{appliance.url}/streams/plain/stream.{kind}"
        options = {"analyzeduration": "500000"}
        with av.open(url, options=options, timeout=15) as container:
            container.streams.video[0].thread_type = "SLICE"  # decodes each at once
            pictures = container.decode(video=0)
            bgr = [next(pictures).to_ndarray(format="bgr24")]
            if together.wait() == 0:
                appliance.request("PUT", path, ["blur_faces"])
            together.wait()
            after = islice(taken_since(time.time_ns() // 1000, pictures), 15)
            bgr += [picture.to_ndarray(format="bgr24") for picture in after]
        return [cv2.imencode(".jpg", picture)[1].tobytes() for picture in bgr]

    try:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(jpegs_around_the_answer, ["ts", "mp4"]))
    finally:
        appliance.request("PUT", path, [])
    for jpegs in found:
        assert len(jpegs) == 16
        assert pictures_with_faces(jpegs) == [0], "the one before"


def test_another_size_is_played_on(appliance: Appliance, player: HlsPlayer) -> None:
    player.begin()
    appliance.request("PATCH", "/api/v1/streams/plain", {"rotate": 90})
    try:
        eventually(lambda: again(player) and len(sizes(player)) == 2, 30)
    finally:
        appliance.request("PATCH", "/api/v1/streams/plain", {"rotate": 0})
    assert sizes(player) == [(720, 1280), (1280, 720)]


def sizes(player: HlsPlayer) -> list[tuple[int, int]]:
    """Return heights and widths of all that was played, in their order."""
    return list(dict.fromkeys(picture.shape[:2] for picture in player.pictures()))


@pytest.mark.parametrize("worker", ["output:plain", "control"])
def test_it_is_played_on_whatever_ends(
    appliance: Appliance, player: HlsPlayer, worker: str
) -> None:
    player.begin()
    player.play(3)
    first = player.playlist.media_sequence

    former = hit(appliance, worker, signal.SIGKILL)
    eventually(lambda: is_replaced(appliance, worker, former))

    eventually(lambda: again(player))
    assert player.playlist.media_sequence >= first
    uris = [part.uri for part in player.parts]
    assert len(uris) == len(set(uris)), "no name means two things"
