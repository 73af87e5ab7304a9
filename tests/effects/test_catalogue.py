"""What there is, and what may be said about it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ooblexd.config.effects import default_parameters, parameters_model
from ooblexd.effects import (
    EFFECTS,
    EffectContext,
    EffectKind,
    build_effect,
    effect_kind,
)
from ooblexd.effects.catalogue import MODES, ON_FAILURE
from ooblexd.effects.parameters import Parameters
from ooblexd.engines import Engines
from ooblexd.errors import ConfigError
from ooblexd.plan import EffectPlan

KINDS = pytest.mark.parametrize("kind", EFFECTS.values(), ids=EFFECTS)
PRIVACY = ["blur_faces", "pixelate_faces", "privacy_zone", "blur"]


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import ooblexd.effects", {"numpy", "cv2", "onnxruntime", "pydantic"}),
        ("import ooblexd.effects.parameters", {"numpy", "cv2", "onnxruntime"}),
        ("import ooblexd.stages.inference", {"pydantic"}),
    ],
)
def test_who_knows_the_effects_loads_only_what_it_needs(
    code: str, heavy: set[str]
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert not heavy & set(said.stdout.split())


def test_a_worker_builds_every_effect_without_pydantic() -> None:
    code = (
        "import sys; from ooblexd.effects import EFFECTS\n"
        "from ooblexd.effects.catalogue import named_object\n"
        "[named_object(kind.build) for kind in EFFECTS.values()]\n"
        "assert 'pydantic' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


@KINDS
def test_every_default_is_allowed(kind: EffectKind) -> None:
    model = parameters_model(kind)
    defaults = default_parameters(kind)
    missing = {n for n, field in model.model_fields.items() if field.is_required()}

    assert issubclass(model, Parameters)
    assert defaults.keys() == model.model_fields.keys() - missing
    if not missing:
        assert model.model_validate(defaults).model_dump(mode="json") == defaults
    assert kind.default_mode in MODES
    assert kind.default_on_failure in ON_FAILURE


@KINDS
def test_every_parameter_is_explained(kind: EffectKind) -> None:
    schema = parameters_model(kind).model_json_schema()

    assert json.dumps(schema)
    for key, said in schema.get("properties", {}).items():
        assert said["description"].endswith("."), key


@KINDS
def test_only_privacy_effects_cover_when_they_fail(kind: EffectKind) -> None:
    assert kind.is_privacy == (kind.name in PRIVACY)
    assert kind.default_on_failure == ("cover" if kind.is_privacy else "pass")


def test_an_unknown_effect_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean `blur_faces`"):
        effect_kind("blur_face")


def test_a_plan_of_an_unknown_effect_builds_nothing() -> None:
    with pytest.raises(ConfigError, match="no_such_effect"):
        build_effect(EffectPlan("no_such_effect"), EffectContext(Engines()))
