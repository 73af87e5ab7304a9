"""HLS that ffmpeg writes and a plain web server hands out."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import TYPE_CHECKING

import av.stream
import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.errors import SourceUnavailableError
from ooblexd.sources import Source, SourceOptions, open_source
from ooblexd.sources.probe import probe
from tests.sources.test_sound import assert_in_sync, watch
from tests.support.beeps import beeping
from tests.support.cameras import require_ffmpeg
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ooblexd.audio import AudioPacket

OPTIONS = SourceOptions(open_timeout_s=15.0)
ENCODE = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p")
SEGMENTS = {
    "ts": (),
    "fmp4": ("-hls_segment_type", "fmp4", "-bf", "2"),
}
ENDED = """\
#EXTM3U
#EXT-X-TARGETDURATION:2
{segments}
#EXT-X-ENDLIST
"""
END = "#EXT-X-ENDLIST\n"


class WebServer(ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        super().__init__(
            ("127.0.0.1", 0), functools.partial(Noting, directory=str(folder))
        )


class Noting(SimpleHTTPRequestHandler):
    server: WebServer

    def log_message(self, *_: object) -> None:
        self.server.asked.append(self.path)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    """Lend a web server over the test's folder."""
    with WebServer(tmp_path) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def server(web: WebServer) -> str:
    """Lend the URL of that server."""
    return f"http://127.0.0.1:{web.server_port}"


@contextmanager
def live(folder: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have ffmpeg write a live playlist with segments of a second, until left."""
    require_ffmpeg()
    source = ("-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25")
    hls = ("-f", "hls", "-hls_time", "1", "-hls_flags", "delete_segments", *more)
    command = ["ffmpeg", "-v", "error", *source, *ENCODE, *hls, "index.m3u8"]
    with subprocess.Popen(command, cwd=folder) as ffmpeg:
        try:
            eventually(lambda: listed(folder) >= 2)
            yield ffmpeg
        finally:
            ffmpeg.kill()


def listed(folder: Path, name: str = "index.m3u8") -> int:
    playlist = folder / name
    return playlist.read_text().count("#EXTINF") if playlist.exists() else 0


def segment(path: Path) -> None:
    require_ffmpeg()
    source = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1")
    subprocess.run(["ffmpeg", "-v", "error", *source, *ENCODE, path], check=True)


def pauses(handed_ns: list[int]) -> int:
    """Count the gaps between pictures that come a segment at a time.

    A segment is a second long, so there would be one a segment. Two may be because the
    machine has stopped for as long.
    """
    return sum(b - a > 0.7 * NS_PER_S for a, b in pairwise(handed_ns))


def read_all(source: Source) -> None:
    while True:
        source.read()


@pytest.mark.parametrize("kind", SEGMENTS)
def test_a_live_playlist_is_shown_picture_by_picture_from_its_end(
    tmp_path: Path, server: str, kind: str
) -> None:
    with live(tmp_path, *SEGMENTS[kind]):
        before = listed(tmp_path)
        source = open_source(f"{server}/index.m3u8", OPTIONS)
        handed_ns: list[int] = []
        first = source.read()
        until_ns = monotonic_ns() + 20 * NS_PER_S
        while len(handed_ns) < 125 and monotonic_ns() < until_ns:
            source.read()
            handed_ns.append(monotonic_ns())
        source.close()

    start_ns = 1.4 * NS_PER_S if kind == "ts" else 0  # where ffmpeg's clock begins
    assert first.pts_ns >= (before - 1.5) * NS_PER_S + start_ns
    assert source.description.has_b_frames == (kind == "fmp4")
    assert 4 * NS_PER_S < handed_ns[-1] - handed_ns[0] < 15 * NS_PER_S  # of five
    assert pauses(handed_ns) <= 2


def test_a_playlist_that_stops_is_noticed(tmp_path: Path, server: str) -> None:
    segment(tmp_path / "a.ts")
    playlist = ENDED.format(segments="#EXTINF:1.0,\na.ts").replace(END, "")
    (tmp_path / "index.m3u8").write_text(playlist.replace("DURATION:2", "DURATION:1"))
    source = open_source(f"{server}/index.m3u8", OPTIONS)

    with pytest.raises(SourceUnavailableError) as ended:
        read_all(source)
    source.close()

    assert ended.value.reason == "the playlist lists nothing new"


def test_a_source_that_is_closed_does_not_wait_for_the_next_segment(
    tmp_path: Path, server: str
) -> None:
    segment(tmp_path / "a.ts")
    playlist = ENDED.format(segments="#EXTINF:1.0,\na.ts").replace(END, "")
    (tmp_path / "index.m3u8").write_text(playlist.replace("DURATION:2", "DURATION:60"))
    source = open_source(f"{server}/index.m3u8", OPTIONS)
    start_ns = monotonic_ns()

    source.close()

    assert monotonic_ns() - start_ns < 10 * NS_PER_S  # of thirty


def test_what_was_read_to_its_end_is_played_to_its_end(
    tmp_path: Path, server: str
) -> None:
    segment(tmp_path / "a.ts")
    (tmp_path / "index.m3u8").write_text(ENDED.format(segments="#EXTINF:1.0,\na.ts"))
    source = open_source(f"{server}/index.m3u8", OPTIONS)
    eventually(lambda: "read ahead" not in {one.name for one in threading.enumerate()})

    times_ns: list[int] = []
    with contextlib.suppress(SourceUnavailableError):  # it lists nothing new
        while len(times_ns) < 30:  # of which a busy machine passes some over
            times_ns.append(source.read().pts_ns)
    source.close()

    assert source.description.width == 160
    assert times_ns[-1] - times_ns[0] > NS_PER_S // 3
    steps_ns = [b - a for a, b in pairwise(times_ns)]
    assert all(0 < step_ns < NS_PER_S for step_ns in steps_ns)
    assert {step_ns % (40 * NS_PER_MS) for step_ns in steps_ns} == {0}


def test_a_discontinuity_is_played_over(tmp_path: Path, server: str) -> None:
    segment(tmp_path / "a.ts")
    segments = "\n#EXT-X-DISCONTINUITY\n".join(["#EXTINF:1.0,\na.ts"] * 4)
    (tmp_path / "index.m3u8").write_text(ENDED.format(segments=segments))
    source = open_source(f"{server}/index.m3u8", OPTIONS)

    handed_ns = []
    with contextlib.suppress(SourceUnavailableError):  # it lists nothing new
        while True:
            source.read()
            handed_ns.append(monotonic_ns())
    source.close()

    assert 40 <= len(handed_ns) <= 100  # a busy machine passes some over
    assert 3.5 * NS_PER_S < handed_ns[-1] - handed_ns[0] < 15 * NS_PER_S
    assert pauses(handed_ns) <= 2


@pytest.mark.parametrize(
    "named",
    [
        "file://{path}",
        "{path}",
        "crypto+file://{path}",
        "concat:{path}",
        "subfile,,start,0,end,0,,:{path}",
        "data:video/mp2t;base64,R0AA",
    ],
)
def test_a_playlist_opens_nothing_but_what_is_by_http(
    tmp_path: Path, server: str, named: str
) -> None:
    segment(tmp_path / "own.ts")
    for name, segment_url in (("good", "own.ts"), ("bad", named)):
        line = "#EXTINF:1.0,\n" + segment_url.format(path=tmp_path / "own.ts")
        (tmp_path / f"{name}.m3u8").write_text(ENDED.format(segments=line))

    good, bad = (probe(f"{server}/{name}.m3u8", OPTIONS) for name in ("good", "bad"))

    assert good.ok
    assert not bad.ok
    assert bad.reason == "what answers is not a video"


@pytest.mark.parametrize("kind", SEGMENTS)
def test_sound_is_heard_with_the_pictures_of_its_moment(
    tmp_path: Path, server: str, kind: str
) -> None:
    heard: list[AudioPacket] = []
    hls = ("-f", "hls", "-hls_time", "1", *SEGMENTS[kind])
    playlist = str(tmp_path / "index.m3u8")
    with beeping("-pix_fmt", "yuv420p", "-c:a", "aac", *hls, playlist):
        eventually(lambda: listed(tmp_path) >= 2)
        options = replace(OPTIONS, on_audio=heard.append)
        source = open_source(f"{server}/index.m3u8", options)
        seen = watch(source, heard)
        source.close()

    assert {(one.sample_rate, one.channels) for one in heard} == {(48_000, 1)}
    assert_in_sync(heard, seen, within_s=0.05)


def test_of_several_renditions_the_default_is_heard_and_no_other_fetched(
    tmp_path: Path, web: WebServer, server: str
) -> None:
    heard: list[AudioPacket] = []
    tracks = ("-map", "0:v", "-map", "0:v", "-map", "1:a", "-map", "1:a")
    sound = ("-c:a", "aac", "-filter:a:0", "volume=0", "-ac:a:1", "2")
    listing = (
        "v:0,agroup:a v:1,agroup:a "
        "a:0,agroup:a,language:eng a:1,agroup:a,language:fra,default:yes"
    )
    hls = ("-f", "hls", "-hls_time", "1", "-master_pl_name", "index.m3u8")
    playlists = ("-var_stream_map", listing, str(tmp_path / "s%v.m3u8"))
    with beeping("-pix_fmt", "yuv420p", *tracks, *sound, *hls, *playlists):
        eventually(lambda: listed(tmp_path, "s3.m3u8") >= 2)
        options = replace(OPTIONS, on_audio=heard.append)
        source = open_source(f"{server}/index.m3u8", options)
        since = len(web.asked)
        seen = watch(source, heard)
        source.close()

    assert {one.channels for one in heard} == {2}
    assert_in_sync(heard, seen, within_s=0.05)
    asked = {path for path in web.asked[since:] if path.endswith(".ts")}
    if hasattr(av.stream, "Discard"):
        assert {path[:3] for path in asked} == {"/s0", "/s3"}
