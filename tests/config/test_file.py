"""Changes are written back whole, and nothing else in the file moves."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ooblexd.config import replacing
from ooblexd.config.file import ConfigFile, Prepared
from ooblexd.config.load import load_config
from ooblexd.config.patch import parse_stream
from ooblexd.config.replacing import put_in_place, sweep
from ooblexd.config.schema import CropConfig, Location
from ooblexd.errors import (
    ConfigError,
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


def commit(prepared: Prepared) -> None:
    try:
        put_in_place(prepared.path, prepared.former, prepared.after)
        prepared.sync()
    finally:
        prepared.abandon()


def config_file(path: Path, **environ: str) -> ConfigFile:
    return ConfigFile(Location(path), environ)


def test_change_touches_only_the_lines_it_names(path: Path) -> None:
    stream = load_config(path, {}).streams["door"]
    changed = stream.model_copy(update={"jpeg_quality": 70})

    commit(config_file(path).prepare_change("door", changed, stream))

    added = set(path.read_text().splitlines()) ^ set(COMMENTED.splitlines())
    assert added == {"jpeg_quality = 70"}


def test_removed_stream_takes_its_own_comment_and_no_other(path: Path) -> None:
    commit(config_file(path).prepare_removal("door"))

    assert "by the door" not in path.read_text()
    assert "# behind the house\n[streams.yard]" in path.read_text()
    assert list(load_config(path, {}).streams) == ["yard"]


def test_stream_written_inline_can_be_removed(path: Path) -> None:
    path.write_text('[streams]\ndoor = { source = "demo:" }\nyard = {source="demo:"}\n')

    commit(config_file(path).prepare_removal("door"))

    assert list(load_config(path, {}).streams) == ["yard"]


def test_first_change_creates_the_file_with_the_demo_in_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ooblexd.toml"

    file = ConfigFile(Location(path, is_demo=True), {})
    commit(file.prepare_add("door", DOOR))

    assert list(load_config(path, {}).streams) == ["demo", "door"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_names_are_taken_or_unknown(path: Path) -> None:
    with pytest.raises(StreamExistsError):
        config_file(path).prepare_add("door", DOOR)
    with pytest.raises(UnknownStreamError):
        config_file(path).prepare_change("attic", DOOR, DOOR)
    with pytest.raises(UnknownStreamError):
        config_file(path).prepare_removal("attic")


def test_what_the_environment_sets_is_neither_changed_nor_written(path: Path) -> None:
    file = config_file(path, OOBLEXD_STREAMS__DOOR__SOURCE="rtsp://192.0.2.7/env")

    unchanged = load_config(path, file._environ).streams["door"]
    with pytest.raises(OverriddenError, match="OOBLEXD_STREAMS__DOOR__SOURCE"):
        file.prepare_change("door", DOOR, unchanged)
    slower = unchanged.model_copy(update={"max_fps": 5.0})
    commit(file.prepare_change("door", slower, unchanged))

    assert "max_fps = 5\n" in path.read_text()
    assert "192.0.2.7" not in path.read_text()


def test_what_becomes_of_the_picture_is_written_as_people_write_it(path: Path) -> None:
    running = load_config(path, {}).streams["door"]
    crop = CropConfig(left=0.25, width=0.5)
    turned = running.model_copy(update={"rotate": 90, "flip": "both", "crop": crop})

    commit(config_file(path).prepare_change("door", turned, running))

    text = path.read_text()
    assert 'rotate = 90\nflip = "both"\n' in text
    assert "crop = { left = 0.25, top = 0, width = 0.5, height = 1 }\n" in text
    assert load_config(path, {}).streams["door"] == turned


def test_part_of_a_table_that_the_environment_sets_cannot_be_changed(
    path: Path,
) -> None:
    file = config_file(path, OOBLEXD_STREAMS__DOOR__CROP__WIDTH="0.25")
    running = load_config(path, file._environ).streams["door"]
    wider = running.model_copy(update={"crop": CropConfig(width=0.5)})

    with pytest.raises(OverriddenError, match="DOOR__CROP__WIDTH"):
        file.prepare_change("door", wider, running)


def test_edit_by_hand_is_kept_and_a_broken_one_is_not_overwritten(path: Path) -> None:
    file = config_file(path)
    path.write_text(COMMENTED.replace("192.0.2.2", "192.0.2.3"))
    commit(file.prepare_removal("door"))
    assert "192.0.2.3" in path.read_text()

    path.write_text("[streams.yard\n")
    with pytest.raises(ConfigFileError, match="edited"):
        file.prepare_add("door", DOOR)
    assert path.read_text() == "[streams.yard\n"


def test_key_edited_by_hand_and_not_loaded_yet_survives_a_change(path: Path) -> None:
    running = load_config(path, {}).streams["door"]
    path.write_text(COMMENTED.replace('/1"  # first', '/2"  # first'))

    changed = running.model_copy(update={"jpeg_quality": 70})
    commit(config_file(path).prepare_change("door", changed, running))

    door = load_config(path, {}).streams["door"]
    assert (door.source, door.jpeg_quality) == ("rtsp://admin:pass@192.0.2.1/2", 70)


def test_edit_between_prepare_and_commit_is_not_overwritten(path: Path) -> None:
    prepared = config_file(path).prepare_removal("door")
    path.write_text(COMMENTED + "# more\n")

    with pytest.raises(ConfigFileError, match="edited at the same moment"):
        commit(prepared)

    assert path.read_text() == COMMENTED + "# more\n"
    assert list(path.parent.iterdir()) == [path]


def test_file_that_somebody_removed_is_not_made_up(path: Path) -> None:
    file = config_file(path)
    path.unlink()

    with pytest.raises(ConfigFileError, match="is gone"):
        file.prepare_add("hall", DOOR)


def test_one_stream_too_many_is_refused_and_not_written(path: Path) -> None:
    many = "".join(f"[streams.s{n}]\nsource = 'demo:'\n" for n in range(30))
    path.write_text(COMMENTED + many)

    with pytest.raises(ConfigError, match="33 of them, at most 32"):
        config_file(path).prepare_add("hall", DOOR)

    assert list(path.parent.iterdir()) == [path]


def test_abandoned_change_leaves_nothing(path: Path) -> None:
    config_file(path).prepare_removal("door").abandon()

    assert path.read_text() == COMMENTED
    assert list(path.parent.iterdir()) == [path]


def test_link_stays_and_mode_is_kept(path: Path, tmp_path: Path) -> None:
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)

    commit(config_file(link).prepare_removal("door"))

    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("mode", "after"), [(0o644, 0o600), (0o640, 0o600), (0o400, 0o400)]
)
def test_a_file_that_gets_a_password_is_its_owners_alone(
    path: Path, caplog: pytest.LogCaptureFixture, mode: int, after: int
) -> None:
    path.chmod(mode)
    hall = parse_stream("hall", {"source": "rtsp://me:geheim@192.0.2.1/1"})

    commit(config_file(path).prepare_add("hall", hall))

    assert path.stat().st_mode & 0o7777 == after
    told = f"others could read the passwords in {path}: its mode is {after:04o} now"
    assert caplog.messages == ([told] if mode != after else [])


def test_the_group_of_the_service_may_go_on_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "_OWN_GROUP", path.group())
    path.chmod(0o644)
    hall = parse_stream("hall", {"source": "rtsp://me:geheim@192.0.2.1/1"})

    commit(config_file(path).prepare_add("hall", hall))

    assert path.stat().st_mode & 0o7777 == 0o640


def test_what_a_killed_daemon_left_is_swept_away(path: Path, tmp_path: Path) -> None:
    config_file(path).prepare_removal("door")
    link = tmp_path / "link.toml"
    link.symlink_to(path)

    assert sweep(link)
    assert not sweep(link)
    assert sorted(tmp_path.iterdir()) == [link, path]


def remove_door_killed_at(path: Path, call: int) -> bool:
    """Say whether a child that dies at its ``call``-th call of the system died."""
    pid = os.fork()
    if pid == 0:
        calls = itertools.count()

        def killing(function: Any) -> Any:
            def counted(*args: Any, **kwargs: Any) -> Any:
                if next(calls) == call:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return counted

        for name in ("open", "fchown", "fchmod", "fsync", "replace", "unlink"):
            setattr(os, name, killing(getattr(os, name)))
        commit(config_file(path).prepare_removal("door"))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_killed_at_any_step_leaves_the_old_or_the_new_file_whole(path: Path) -> None:
    streams_seen = []
    for call in itertools.count():
        path.write_text(COMMENTED)
        if not remove_door_killed_at(path, call):
            break
        streams_seen.append(list(load_config(path, {}).streams))

        commit(config_file(path).prepare_add("hall", DOOR))
        assert list(path.parent.iterdir()) == [path]  # what was left is swept away

    assert len(streams_seen) >= 6
    assert streams_seen[0] == ["door", "yard"]
    assert streams_seen[-1] == ["yard"]


def test_write_that_the_system_cuts_short_leaves_the_old_file(path: Path) -> None:
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, former[1]))
        with pytest.raises(ConfigFileError, match="file too large"):
            config_file(path).prepare_add("hall", DOOR)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, ignored)

    assert path.read_text() == COMMENTED
    assert list(path.parent.iterdir()) == [path]


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
