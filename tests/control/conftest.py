from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.config.load import load_config
from ooblexd.config.plans import plan_of_stream
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
def bench(config_path: Path) -> Iterator[ControlBench]:
    """Lend a running control worker that serves one stream, door."""
    stream = load_config(config_path, {}).streams["door"]
    plan = plan_of_stream("door", stream)
    with control_bench(config_path, plan) as running:
        yield running
