"""Files play in a loop at their own pace, and say why when they do not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import av
import pytest

from ooblexd.errors import SourceUnavailableError
from ooblexd.pixels import new_planes
from ooblexd.sources import open_source
from ooblexd.sources.demo import DEMO_CLIP
from tests.support.cameras import encode_clip, require_ffmpeg

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of short clips, ten pictures each, in all containers that differ."""
    require_ffmpeg()
    folder = tmp_path_factory.mktemp("files")
    for name in ("clip.mp4", "clip.mkv", "clip.264", "clip.avi"):
        encode_clip(folder / name, "-vf", "scale=322:180", "-bf", "0", seconds=0.4)
    encode_clip(folder / "bframes.mp4", "-vf", "scale=322:180", "-bf", "2", seconds=0.4)
    return folder


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.264", "clip.avi"])
def test_file_is_looped_at_its_own_pace(folder: Path, name: str) -> None:
    source = open_source(f"file:{folder / name}")

    pictures = [source.read() for _ in range(25)]
    source.close()

    times_ns = [p.pts_ns for p in pictures]
    steps_ms = {round((b - a) / 1e6) for a, b in zip(times_ns, times_ns[1:])}  # noqa: B905, RUF007 - a picture fewer
    took_s = (pictures[-1].capture_ns - pictures[0].capture_ns) / 1e9
    assert steps_ms == {40}
    assert 0.95 <= took_s <= 3  # a busy machine may stop for a while


def test_clip_with_b_frames_says_so(folder: Path) -> None:
    source = open_source(f"file:{folder / 'bframes.mp4'}")

    pictures = [source.read() for _ in range(12)]
    source.close()

    assert source.description.has_b_frames
    assert [p.pts_ns for p in pictures] == sorted(p.pts_ns for p in pictures)


def test_picture_stays_valid_after_the_next_ones(folder: Path) -> None:
    source = open_source(f"file:{folder / 'clip.mp4'}")
    early, late = new_planes(322, 180), new_planes(322, 180)

    picture = source.read()
    picture.copy_to(early)
    for _ in range(12):
        source.read()
    picture.copy_to(late)
    source.close()

    assert all((a == b).all() for a, b in zip(early, late, strict=True))


def test_missing_file_is_called_missing(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "none.mp4") == "there is no such file"


def test_folder_is_no_file(tmp_path: Path) -> None:
    assert reason_of(tmp_path) == "the path is not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "locked.mp4"
    path.touch(mode=0)

    assert reason_of(path) == "the file may not be read"


def test_text_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("milk, bread, a camera\n" * 100)

    assert reason_of(path) == "the file is not a video"


def test_sound_has_no_video_track(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(
        b"RIFF\x24\x10\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00"
        b"\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x10\x00\x00" + bytes(4096)
    )

    assert reason_of(path) == "the file has no video track"


def test_playlist_of_urls_opens_no_connection(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/secret.ts\n")

    assert reason_of(path) in (
        "the file is not a video",
        "the file has no video track",
    )


def test_damaged_middle_of_a_file_is_passed_over(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "clip.264").read_bytes()
    hole = bytes(200)
    damaged = tmp_path / "damaged.264"
    middle = len(whole) // 2
    damaged.write_bytes(whole[:middle] + hole + whole[middle + 200 :])
    source = open_source(f"file:{damaged}")

    pictures = [source.read() for _ in range(12)]
    source.close()

    assert len(pictures) == 12


def reason_of(path: Path) -> str:
    with pytest.raises(SourceUnavailableError) as caught:
        open_source(f"file:{path}").read()
    return caught.value.reason


def test_damaged_metadata_is_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp4"
    with av.open(str(DEMO_CLIP)) as clip, av.open(str(path), "w") as copy:
        copy.metadata["title"] = "x" * 40
        stream = copy.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(clip.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"x" * 40, b"\xff" * 40))

    # PyAV 19 reads over it, and those before do not.
    reason = ""
    try:
        open_source(f"file:{path}").close()
    except SourceUnavailableError as error:
        reason = error.reason
    assert reason in ("", "the file is damaged")
