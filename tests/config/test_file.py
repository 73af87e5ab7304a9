from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ooblexd.config.file import ConfigFile
from ooblexd.config.load import load_config
from ooblexd.config.patch import parse_stream
from ooblexd.config.schema import Location
from ooblexd.errors import (
    ConfigFileError,
    OverriddenError,
    StreamExistsError,
    UnknownStreamError,
)

COMMENTED = """\
# the shop
[http]
port = 8800  # as ever

# by the door
[streams.door]
# a cheap one
source = "rtsp://admin:pass@192.0.2.1/1"  # first floor
effects = [
    "blur_faces",  # always
]

# behind the house
[streams.yard]
source = "rtsp://192.0.2.2/1"
"""
DOOR = parse_stream("door", {"source": "rtsp://192.0.2.9/new", "effects": []})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "ooblexd.toml"
    file.write_text(COMMENTED)
    return file


def config_file(path: Path, **environ: str) -> ConfigFile:
    return ConfigFile(Location(path), environ)


def test_change_touches_only_the_lines_it_names(path: Path) -> None:
    stream = load_config(path, {}).streams["door"]
    changed = stream.model_copy(update={"jpeg_quality": 70})

    config_file(path).prepare_change("door", changed).commit()

    added = set(path.read_text().splitlines()) ^ set(COMMENTED.splitlines())
    assert added == {"jpeg_quality = 70"}


def test_removed_stream_takes_its_own_comment_and_no_other(path: Path) -> None:
    config_file(path).prepare_removal("door").commit()

    assert "by the door" not in path.read_text()
    assert "# behind the house\n[streams.yard]" in path.read_text()
    assert list(load_config(path, {}).streams) == ["yard"]


def test_stream_written_inline_can_be_removed(path: Path) -> None:
    path.write_text('[streams]\ndoor = { source = "demo:" }\nyard = {source="demo:"}\n')

    config_file(path).prepare_removal("door").commit()

    assert list(load_config(path, {}).streams) == ["yard"]


def test_first_change_creates_the_file_with_the_demo_in_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ooblexd.toml"

    config_file(path).prepare_add("door", DOOR).commit()

    assert list(load_config(path, {}).streams) == ["demo", "door"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_names_are_taken_or_unknown(path: Path) -> None:
    with pytest.raises(StreamExistsError):
        config_file(path).prepare_add("door", DOOR)
    with pytest.raises(UnknownStreamError):
        config_file(path).prepare_change("attic", DOOR)
    with pytest.raises(UnknownStreamError):
        config_file(path).prepare_removal("attic")


def test_what_the_environment_sets_is_neither_changed_nor_written(path: Path) -> None:
    file = config_file(path, OOBLEXD_STREAMS__DOOR__SOURCE="rtsp://192.0.2.7/env")

    with pytest.raises(OverriddenError, match="OOBLEXD_STREAMS__DOOR__SOURCE"):
        file.prepare_change("door", DOOR)
    unchanged = load_config(path, file._environ).streams["door"]
    slower = unchanged.model_copy(update={"max_fps": 5.0})
    file.prepare_change("door", slower).commit()

    assert "max_fps = 5.0" in path.read_text()
    assert "192.0.2.7" not in path.read_text()


def test_edit_by_hand_is_kept_and_a_broken_one_is_not_overwritten(path: Path) -> None:
    file = config_file(path)
    path.write_text(COMMENTED.replace("192.0.2.2", "192.0.2.3"))
    file.prepare_removal("door").commit()
    assert "192.0.2.3" in path.read_text()

    path.write_text("[streams.yard\n")
    with pytest.raises(ConfigFileError, match="edited"):
        file.prepare_add("door", DOOR)
    assert path.read_text() == "[streams.yard\n"


def test_abandoned_change_leaves_nothing(path: Path) -> None:
    config_file(path).prepare_removal("door").abandon()

    assert path.read_text() == COMMENTED
    assert list(path.parent.iterdir()) == [path]


def test_link_stays_and_mode_is_kept(path: Path, tmp_path: Path) -> None:
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)

    config_file(link).prepare_removal("door").commit()

    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("step", ["prepared", "committed"])
def test_killed_while_writing_leaves_one_whole_file(path: Path, step: str) -> None:
    pid = os.fork()
    if pid == 0:
        prepared = config_file(path).prepare_removal("door")
        if step == "committed":
            prepared.commit()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)

    names = list(load_config(path, {}).streams)
    assert names == (["door", "yard"] if step == "prepared" else ["yard"])


def test_full_disk_leaves_the_old_file(path: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        full = Path(shutil.copy(path, small))
        ballast = ["dd", "if=/dev/zero", f"of={small}/ballast"]
        subprocess.run(ballast, check=False, capture_output=True)
        with pytest.raises(ConfigFileError, match="no space left"):
            config_file(full).prepare_add("attic", DOOR)
        assert full.read_text() == COMMENTED
    finally:
        subprocess.run(["umount", str(small)], check=True)
