from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.plan import StreamPlan
from tests.support.control import ControlBench, control_bench
from tests.support.effects import effect_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLUR = effect_plan("blur_faces")
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
    source = "rtsp://user:secret@192.0.2.20/stream1"
    plan = StreamPlan("door", source, effects=(BLUR,))
    with control_bench(config_path, plan) as running:
        yield running
