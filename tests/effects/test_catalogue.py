from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ooblexd.effects import EFFECTS, build_effect, effect_kind
from ooblexd.effects.catalogue import MODES, ON_FAILURE
from ooblexd.engines import Engines
from ooblexd.errors import ConfigError
from ooblexd.plan import EffectPlan


def test_knowing_the_effects_loads_nothing_heavy() -> None:
    code = (
        "import sys, ooblexd.effects as e; e.EFFECTS['blur_faces'].schema(); "
        "print([m for m in ('numpy', 'cv2', 'onnxruntime') if m in sys.modules])"
    )

    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", EFFECTS.values(), ids=EFFECTS)
def test_every_default_is_allowed(kind: object) -> None:
    assert isinstance(kind, type(EFFECTS["none"]))

    assert kind.problems(kind.resolved({})) == []
    assert kind.default_mode in MODES
    assert kind.default_on_failure in ON_FAILURE
    assert json.dumps(kind.schema())


@pytest.mark.parametrize("name", ["blur_faces", "pixelate_faces"])
def test_a_privacy_effect_covers_when_it_fails(name: str) -> None:
    assert EFFECTS[name].is_privacy
    assert EFFECTS[name].default_on_failure == "cover"


def test_an_unknown_effect_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean `blur_faces`"):
        effect_kind("blur_face")


def test_every_wrong_parameter_is_named() -> None:
    problems = EFFECTS["blur_faces"].problems(
        {"strenght": 1, "margin": 9, "detail": "huge", "threshold": True}
    )

    assert [problem.split(":")[0] for problem in problems] == [
        "strenght",
        "margin",
        "detail",
        "threshold",
    ]
    assert "did you mean `strength`" in problems[0]
    assert "9, allowed: 0.3 to 1.5" in problems[1]


def test_a_plan_with_a_wrong_parameter_builds_nothing() -> None:
    with pytest.raises(ConfigError, match=r"blur_faces\.margin: 0\.1"):
        build_effect(EffectPlan("blur_faces", parameters={"margin": 0.1}), Engines())
