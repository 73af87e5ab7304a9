"""Who may import whom: this table is the architecture, and the imports obey it.

A row allows a part what it names and everything within that; the longest matching row
counts. What only type checkers import is free.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import chain

import pytest

from tests.support.repository import imports_of, module_names

# What a frame is and how one fails: anybody's words.
_WORDS = {
    *("errors", "audio", "frame", "clock", "pixels", "plan", "redaction"),
    *("renditions", "detection"),
}
# What workers and supervisor leave for one another.
_BOARD = {"board", "commands", "counters", "heartbeat", "layout", "signalling"}

LAYERS: dict[str, set[str]] = {
    "_version": set(),
    "errors": set(),
    "aac": set(),
    "audio": {"aac"},
    "audio_line": {"aac", "audio", "clock"},
    "detection": set(),
    "frame": {"detection"},
    "clock": set(),
    "plan": set(),
    "redaction": set(),
    "ice": set(),
    "status": set(),
    "commands": {"plan", "signalling"},
    "signalling": set(),
    "layout": set(),
    "board": set(),
    "models": set(),
    "pixels": {"frame"},
    "renditions": {"frame"},
    "heartbeat": {"clock"},
    "counters": {"clock"},
    "log": {"redaction"},
    "reminders": {"clock"},
    "ring": {"errors"},
    "publishing": {"errors", "plan"},
    "sources": {
        *("errors", "audio", "clock", "frame", "pixels", "publishing", "redaction"),
        "aac",
    },
    "engines": {"errors"},
    "effects": {"errors", "clock", "detection", "pixels", "plan", "engines"},
    "effects.catalogue": {"errors"},
    # The parameters of effects are part of the configuration.
    "effects.parameters": set(),
    "encoders": {"errors", "audio", "clock", "frame", "pixels", "renditions"},
    # What it is sent by is webrtc's and FFmpeg's; a command runs as one of a source.
    "pushes": {
        *("errors", "clock", "frame", "plan", "redaction", "reminders", "counters"),
        *("encoders.video", "sources", "webrtc", "_version"),
        *("aac", "audio", "audio_line"),
    },
    "pushes.url": {"errors", "audio", "plan", "redaction", "sources.url"},
    "webrtc": {
        *("errors", "audio", "clock", "encoders.sound", "encoders.video"),
        *("detection", "frame", "ice", "reminders", "signalling"),
    },
    "muxer": {"aac", "errors", "clock"},
    "rtp": {"aac", "clock"},
    # What a box can do is tried by the very parts that do it.
    "checks": {
        *("_version", "errors", "clock", "frame", "commands", "ice", "plan"),
        "redaction",
        *("status", "ring", "engines", "encoders.jpeg", "sources"),
        *("supervisor.listener", "supervisor.signals", "supervisor.stream"),
    },
    "config": {
        *("errors", "plan", "redaction", "sources.url", "pushes.url"),
        *("effects.catalogue", "effects.packages", "effects.parameters"),
    },
    "stages": {
        *(_WORDS | _BOARD),
        *("reminders", "ring", "sources", "effects", "engines", "encoders"),
        *("webrtc", "pushes"),
    },
    # What a forked child does: the one place that knows every kind of worker.
    "stages.worker": {*_WORDS, *_BOARD, "log", "supervisor.worker", "control.worker"},
    "supervisor": {
        *("errors", "audio", "clock", "frame", "log", "plan", "redaction", "ring"),
        *_BOARD,
    },
    # The difference between two plans and a file's replacement, which load nothing.
    "supervisor.reload": {"commands", "plan", "config.diff", "config.replacing"},
    "control": {
        "reminders",
        *_WORDS,
        *_BOARD,
        "log",
        "_version",
        "config",
        *("aac", "audio_line"),
        *("encoders.sound", "muxer"),  # once somebody asks for a container
        "rtp",
        "effects.catalogue",
        "effects.packages",
        "engines",
        "ice",
        "publishing",
        "ring",
        "status",
        # What is asked at run time too.
        *("checks.finding", "checks.disk", "checks.models", "checks.shared_memory"),
        *("checks.wall_clock", "checks.ice", "checks.reach"),
        # What a source may be, and what a probe's process says of one.
        *("sources.url", "sources.report", "pushes.url"),
    },
    "cli": {
        *("_version", "checks", "commands", "config", "errors", "log", "plan"),
        *("stages", "status", "supervisor"),
        # A probe opens a source once, in a process of its own.
        *("clock", "redaction", "sources"),
    },
    "__main__": {"cli"},
}

# Each library that is heavy or untyped, and the few places that know it.
LIBRARIES: dict[str, set[str]] = {
    "aioice": {"webrtc", "checks.ice"},
    "aiortc": {"webrtc", "pushes.whip"},
    "av": {"sources", "encoders", "checks.codecs", "webrtc", "pushes.sender", "muxer"},
    "cv2": {
        *("effects", "encoders", "sources.opencv"),
        *("stages.geometry", "stages.standins", "stages.video"),
    },
    "numpy": {
        *("pixels", "sources", "effects", "engines", "encoders", "stages"),
        *("checks.engines", "checks.jpeg"),
    },
    "onnxruntime": {"engines.onnx"},
    "posix_ipc": {"ring.memory"},
    "prometheus_client": {"control.metrics"},
    "pydantic": {"config", "control.openapi", "effects.parameters"},
    "pydantic_settings": {"config.environment"},
    "rich": {"cli"},
    "starlette": {"control"},
    "tomlkit": {"config"},
    "uvicorn": {"control"},
    "uvloop": {"control", "webrtc.thread", "pushes.whip"},
    "websockets": {"control"},
}
# posix_ipc is small, and makes the rings.
TOO_HEAVY_TO_FORK = {*LIBRARIES, "asyncio", "multiprocessing"} - {"posix_ipc"}


def is_within(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def row_of(module: str) -> str:
    return max((part for part in LAYERS if is_within(module, part)), key=len)


@pytest.mark.parametrize("module", module_names())
def test_a_module_imports_only_what_its_layer_allows(module: str) -> None:
    row = row_of(module)
    own = row.split(".")[0]
    allowed = LAYERS[row] | {own}
    imported = {
        name.removeprefix("ooblexd.")
        for name in imports_of(module)
        if name.startswith("ooblexd.")
    }

    refused = {
        name for name in imported if not any(is_within(name, part) for part in allowed)
    }

    assert not refused, f"{row} may import {sorted(allowed)}"


@pytest.mark.parametrize("module", module_names())
def test_a_library_is_known_in_few_places(module: str) -> None:
    imported = {name.split(".")[0] for name in imports_of(module)}

    refused = {
        library
        for library in imported & LIBRARIES.keys()
        if not any(is_within(module, part) for part in LIBRARIES[library])
    }

    assert not refused


def test_every_row_of_the_table_is_a_part_that_exists() -> None:
    parts = chain(LAYERS, *LAYERS.values(), *LIBRARIES.values())

    assert set(parts) <= set(module_names())


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return {name.split(".")[0] for name in answer.stdout.split()}


@pytest.mark.parametrize(
    "module",
    [
        "ooblexd.supervisor.supervisor",
        "ooblexd.stages.worker",
        "ooblexd.cli",
        "ooblexd.checks.catalogue",
    ],
)
def test_the_process_that_forks_loads_nothing_heavy(module: str) -> None:
    assert not loaded_by(module) & TOO_HEAVY_TO_FORK
