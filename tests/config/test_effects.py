"""An element of ``effects``: what its writer is told, and how it comes back."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from ooblexd.config.edit import Edit, edited
from ooblexd.config.effects import written_effect
from ooblexd.config.load import parse_config
from ooblexd.config.patch import merge_patch, parse_stream, public
from ooblexd.config.plans import plan_of_stream
from ooblexd.errors import ConfigError
from ooblexd.plan import format_plan, parse_stream_plan

if TYPE_CHECKING:
    from ooblexd.config.schema import StreamConfig

SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
OVERLAY = {"effect": "overlay", "text": '{name} "Tür"\n東 {time}', "size": 0.05}
ZONE = {"effect": "privacy_zone", "polygons": [SQUARE], "cover": "blur"}
CIRCLE = [
    [0.5 + 0.4 * math.cos(n * math.tau / 40), 0.5 + 0.4 * math.sin(n * math.tau / 40)]
    for n in range(40)
]


def stream_of(*effects: object) -> StreamConfig:
    return parse_stream("door", {"source": "demo:", "effects": list(effects)})


def problems_of(*effects: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        stream_of(*effects)
    return [p.removeprefix("streams.door.effects") for p in caught.value.problems]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({}, ".polygons: missing"),
        ({"polygons": []}, ".polygons: 0 of them, at least 1"),
        ({"polygons": 3}, ".polygons: 3, must be a list"),
        ({"polygons": [SQUARE] * 9}, ".polygons: 9 of them, at most 8"),
        ({"polygons": [SQUARE[:2]]}, ".polygons[0]: 2 different points, a polygon n"),
        (
            {"polygons": [SQUARE, [[0, 0], [1.5, 1], [0, 1]]]},
            ".polygons[1][1][0]: 1.5, allowed 0 to 1",
        ),
        (
            {"polygons": [[[0, 0], [1, -0.1], [0, 1]]]},
            ".polygons[0][1][1]: -0.1, allowed 0 to 1",
        ),
        (
            {"polygons": [[[0, 0], ["a", 1], [0, 1]]]},
            ".polygons[0][1][0]: 'a', allowed 0 to 1",
        ),
        (
            {"polygons": [[[0, 0], [float("nan"), 1], [0, 1]]]},
            ".polygons[0][1][0]: NaN, allowed 0 to 1",
        ),
        ({"polygons": [[[0, 0, 0], [1, 1], [0, 1]]]}, ".polygons[0]: each point must"),
        (
            {"polygons": [[[0, 0], [1, 1], [1, 0], [0, 1]]]},
            ".polygons[0]: crosses itself: the edge from point 0 meets the one from",
        ),
        (
            {"polygons": [[[0, 0], [0.001, 0], [0, 0.001]]]},
            ".polygons[0]: 5e-07 of the picture, at least 0.0001",
        ),
        (
            {"polygons": [SQUARE], "cover": "black"},
            ".cover: 'black', allowed fill or blur",
        ),
        (
            {"polygons": [SQUARE], "colour": "red"},
            ".colour: unknown key, allowed are effect, mode, on_failure, deadline_ms",
        ),
    ],
)
def test_a_zone_that_cannot_be_covered_is_told(
    said: dict[str, Any], problem: str
) -> None:
    [found] = problems_of({"effect": "privacy_zone", **said})

    assert found.startswith(f"[0]{problem}")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"effect": "overlay", "text": "{nam}"}, ".text: {nam}: no such field, allo"),
        ({"effect": "overlay", "text": ""}, ".text: 0 characters, at least 1"),
        ({"effect": "overlay", "text": "x" * 201}, ".text: 201 characters, at most 2"),
        ({"effect": "overlay", "text": 3}, ".text: 3, must be text"),
        ({"effect": "overlay", "time_format": "%9Y"}, ".time_format: %9: not allowed"),
        ({"effect": "overlay", "size": 1}, ".size: 1, allowed 0.015 to 0.2"),
        ({"effect": "blur", "strength": "0.5"}, ".strength: '0.5', allowed 0 to 1"),
        ({"effect": "blur", "strength": True}, ".strength: true, allowed 0 to 1"),
        ({"effect": "blur", "strenght": 1}, ".strenght: unknown key, did you mean str"),
        ({"effect": "blur", "deadline_ms": 9}, ".deadline_ms: 9, allowed 10 to 30000"),
        ({"effect": "blur", "deadline_ms": 0.5}, ".deadline_ms: 0.5, allowed 10 to"),
        ({"effect": "blur", "mode": 3}, ".mode: 3, allowed every_frame or tracked"),
        ("blurr", ": unknown effect 'blurr', did you mean blur?"),
    ],
)
def test_a_wrong_parameter_is_told_with_what_is_allowed(
    entry: object, problem: str
) -> None:
    [found] = problems_of("none", entry)

    assert found.startswith(f"[1]{problem}")


def test_every_mistake_of_an_entry_is_told_at_once() -> None:
    wrong = {"effect": "edges", "threshold": 2, "ground": "red", "mode": "x", "a": 1}

    assert len(problems_of(wrong)) == 4


@pytest.mark.parametrize("hiding", ["edges", "blur"])
def test_what_looks_for_faces_must_come_before_what_hides_them(hiding: str) -> None:
    [problem] = problems_of("grayscale", hiding, "overlay", "blur_faces")

    assert problem == (
        f": blur_faces at [3] cannot find anything in what {hiding} leaves; "
        "it must stand before it"
    )
    assert len(stream_of("blur_faces", hiding, "overlay").effects) == 3


def test_a_chain_that_is_too_long_for_its_message_is_told() -> None:
    [problem] = problems_of({"effect": "privacy_zone", "polygons": [CIRCLE] * 8})

    assert "bytes as JSON, at most 3000: fewer points or less text" in problem


def test_the_longest_chain_that_is_allowed_fits_into_its_message() -> None:
    stream = stream_of(*[{"effect": "overlay", "text": "東" * 35}] * 8)

    assert len(format_plan(plan_of_stream("a" * 63, stream))) < 4096


def test_points_are_kept_to_four_digits() -> None:
    [zone] = stream_of({"effect": "privacy_zone", "polygons": [CIRCLE]}).effects

    assert zone.parameters["polygons"][0][1] == [0.8951, 0.5626]


def test_the_order_of_a_chain_is_kept() -> None:
    names = ["overlay", "grayscale", "blur_faces", "none", "edges"]

    assert [effect.effect for effect in stream_of(*names).effects] == names


@pytest.mark.parametrize("entry", [OVERLAY, ZONE, "edges", "blur_faces"])
def test_an_effect_survives_every_way_it_is_written(entry: Any) -> None:
    stream = stream_of(entry)
    [effect] = stream.effects

    written = written_effect(effect)
    door = ("streams", "door")
    values: dict[tuple[str, ...], Any] = {
        (*door, "source"): "demo:",
        (*door, "effects"): [written],
    }
    text = edited("", Edit(values))
    assert text is not None
    environ = {"OOBLEXD_STREAMS__DOOR__EFFECTS": json.dumps([written])}
    toml = '[streams.door]\nsource = "demo:"\n'

    assert written == entry
    assert parse_config(text, {}).streams["door"] == stream
    assert parse_config(toml, environ).streams["door"] == stream
    assert merge_patch("door", stream, public(stream)) == stream
    assert merge_patch("door", stream_of(), {"effects": [entry]}) == stream
    plan = plan_of_stream("door", stream)
    assert parse_stream_plan(format_plan(plan)) == plan


def test_a_deadline_is_written_only_where_it_is_not_the_usual_one() -> None:
    usual, longer = stream_of("blur", {"effect": "blur", "deadline_ms": 2000}).effects

    assert written_effect(usual) == "blur"
    assert written_effect(longer) == {"effect": "blur", "deadline_ms": 2000}
