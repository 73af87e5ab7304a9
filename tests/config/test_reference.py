"""The reference says the truth: every key, its default, a comment; examples load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from annotated_types import Ge, Le
from pydantic_core import to_jsonable_python

from ooblexd.config.demo import DEMO_TEXT
from ooblexd.config.effects import parameters_model
from ooblexd.config.load import load_config, parse_config
from ooblexd.config.schema import (
    Document,
    HttpConfig,
    InferenceConfig,
    LogConfig,
    RtspConfig,
    Section,
    StreamConfig,
    WebrtcConfig,
)
from ooblexd.config.statements import scan
from ooblexd.effects.catalogue import EFFECTS

FOLDER = Path(__file__).parents[2] / "config"
REFERENCE = (FOLDER / "ooblexd.toml").read_text()
SECTIONS: list[tuple[tuple[str, ...], type[Section]]] = [
    (("http",), HttpConfig),
    (("rtsp",), RtspConfig),
    (("streams", "demo"), StreamConfig),
    (("inference",), InferenceConfig),
    (("webrtc",), WebrtcConfig),
    (("log",), LogConfig),
]


def table_at(path: tuple[str, ...]) -> dict[str, Any]:
    table: Any = tomlkit.parse(REFERENCE).unwrap()
    for key in path:
        table = table[key]
    assert isinstance(table, dict)
    return table


def test_reference_has_every_section() -> None:
    assert set(tomlkit.parse(REFERENCE)) == set(Document.model_fields)


@pytest.mark.parametrize(("path", "model"), SECTIONS)
def test_reference_has_every_key_with_its_default(
    path: tuple[str, ...], model: type[Section]
) -> None:
    defaults = {
        name: to_jsonable_python(field.default)
        for name, field in model.model_fields.items()
        if not field.is_required()
    }
    table = table_at(path)
    if model is StreamConfig:
        assert table.pop("source") == "demo:"

    assert table == defaults


def test_reference_explains_every_key() -> None:
    lines = REFERENCE.split("\n")

    for statement in scan(REFERENCE):
        line = REFERENCE.count("\n", 0, statement.start)
        if not statement.is_header:
            assert lines[line - 1].startswith("# "), statement.path


def test_reference_names_every_effect_and_parameter_with_its_default() -> None:
    for kind in EFFECTS.values():
        assert f'"{kind.name}"' in REFERENCE
        for name, field in parameters_model(kind).model_fields.items():
            if field.is_required():
                assert f"#   {name} = [" in REFERENCE
                continue
            default = tomlkit.item(field.default).as_string().removesuffix(".0")
            assert re.search(rf"#   {name} = {re.escape(default)}\s", REFERENCE), name
            limits = [m for m in field.metadata if isinstance(m, Ge | Le)]
            if limits:
                [low] = [m.ge for m in limits if isinstance(m, Ge)]
                [high] = [m.le for m in limits if isinstance(m, Le)]
                assert f"{low:g} to {high:g}:" in REFERENCE, name


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.toml")), ids=lambda f: f.name)
def test_every_file_we_ship_can_be_used(file: Path) -> None:
    assert load_config(file, {}).streams


def test_demo_is_one_stream_with_its_faces_blurred() -> None:
    [(name, stream)] = parse_config(DEMO_TEXT, {}).streams.items()

    assert (name, stream.source) == ("demo", "demo:")
    assert [effect.effect for effect in stream.effects] == ["blur_faces"]
