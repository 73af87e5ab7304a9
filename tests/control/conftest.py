from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.config.load import load_config
from ooblexd.config.plans import plan_of_stream
from ooblexd.control import diagnose, feeds, pictures
from tests.support.control import ControlBench, control_bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """\
# the house
[streams.door] # by the letter box
source = "rtsp://user:secret@192.0.2.20/stream1"
effects = ["blur_faces"]
"""


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """Lend a configuration file with one stream, door."""
    path = tmp_path / "ooblexd.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have control give a test that is stopped meanwhile the time to go on.

    It counts for a control that starts after: name it by ``usefixtures``.
    """
    monkeypatch.setattr(feeds, "FRESH_NS", 60 * NS_PER_S)
    refused = [(verdicts, max(20.0, until_s)) for verdicts, until_s in feeds._REFUSED]
    monkeypatch.setattr(feeds, "_REFUSED", refused)
    monkeypatch.setattr(pictures, "SNAPSHOT_WITHIN_S", 25.0)
    monkeypatch.setattr(diagnose, "_ENDINGS_WITHIN_S", 20.0)


@pytest.fixture
def bench(config_path: Path) -> Iterator[ControlBench]:
    """Lend a running control worker that serves one stream, door."""
    stream = load_config(config_path, {}).streams["door"]
    plan = plan_of_stream("door", stream)
    with control_bench(config_path, plan) as running:
        yield running
