"""Effects of other packages, as their authors may get them right and wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from ooblexd.effects.packages import GROUP, load_effects
from tests.support.packages import install

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OURS = "ooblexd.effects.catalogue:EFFECTS"
LISTING = """
import json
from ooblexd.control.catalogue import list_effects
print(json.dumps({e.effect + " " + e.package: [e.is_available, e.reason, e.schema]
                  for e in list_effects()}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return install("trouble", tmp_path_factory.mktemp("packages") / "site")


def check(tmp_path: Path, environment: Mapping[str, str], effects: str) -> list[str]:
    """Return what ``ooblexd check-config`` says of a chain."""
    file = tmp_path / "ooblexd.toml"
    file.write_text(f'[streams.door]\nsource = "demo:"\neffects = [{effects}]\n')
    said = subprocess.run(
        [sys.executable, "-m", "ooblexd", "check-config", file],
        env={"PATH": "/usr/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == (2 if said.stderr else 0)
    start = f"{file}:3: streams.door.effects"
    return [line.removeprefix(start) for line in said.stderr.splitlines()]


def test_every_effect_that_cannot_be_used_is_listed_with_its_reason(
    environment: Mapping[str, str],
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LISTING],
        env={"PATH": "/usr/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )

    listed = json.loads(said.stdout)
    reasons = {
        name.removesuffix(" ooblexd-trouble 0.1"): reason
        for name, (is_available, reason, schema) in listed.items()
        if not is_available and schema == {}
    }
    assert listed["blur "][0]
    assert listed["trouble ooblexd-trouble 0.1"][0]
    assert reasons == {
        "blur": (
            "ooblexd has an effect 'blur' of its own; the package must rename its"
        ),
        "leaving": "SystemExit: this machine has no licence",
        "misnamed": "its entry point is called 'misnamed' and its kind 'trouble'",
        "no_kind": "ooblexd_trouble:NO_KIND is no ooblexd.effects.EffectKind",
        "no_model": (
            "effect 'no_model' cannot be used: ModuleNotFoundError: "
            "No module named 'ooblexd_trouble.nowhere'"
        ),
        "unimportable": (
            "ImportError: libcudart.so.99: cannot open shared object file"
        ),
    }


@pytest.mark.parametrize(
    ("effects", "problem"),
    [
        (
            '"unimportable"',
            "[0]: effect 'unimportable' of ooblexd-trouble 0.1 cannot be used: Import",
        ),
        ('"leaving"', "[0]: effect 'leaving' of ooblexd-trouble 0.1 cannot be used: "),
        ('"no_model"', "[0]: effect 'no_model' cannot be used: ModuleNotFoundError: "),
        ('"troubel"', "[0]: unknown effect 'troubel', did you mean trouble?"),
        (
            '{ effect = "trouble", hwo = "raise" }',
            "[0].hwo: unknown key, did you mean how?",
        ),
        (
            '{ effect = "trouble", after = -1 }',
            "[0].after: -1, allowed 0 to 10000",
        ),
        (
            '{ effect = "trouble", number = 13 }',
            "[0]: the parameters of trouble break it: RuntimeError: thirteen",
        ),
        ('"none"', ""),
        ('{ effect = "trouble", how = "raise" }', ""),
    ],
)
def test_check_config_judges_effects_of_other_packages_as_ours(
    tmp_path: Path, environment: Mapping[str, str], effects: str, problem: str
) -> None:
    found = check(tmp_path, environment, effects)

    if problem:
        assert len(found) == 1
        assert found[0].startswith(problem)
    else:
        assert found == []


def test_of_two_packages_that_bring_the_same_effect_neither_is_used() -> None:
    points = [EntryPoint("twice", f"{module}:KIND", GROUP) for module in ("a", "b")]

    found = load_effects(points)

    assert found.kinds == {}
    assert [one.reason for one in found.unavailable] == (
        ["2 packages bring an effect 'twice'; all but one must go"] * 2
    )


@pytest.mark.parametrize("name", ["Sepia", "se pia", "../sepia", "1sepia", "a" * 64])
def test_a_name_that_no_configuration_could_say_is_refused(name: str) -> None:
    [refused] = load_effects([EntryPoint(name, OURS, GROUP)]).unavailable

    assert refused.reason.startswith("not an effect's name")


def test_an_environment_without_other_packages_has_only_ours() -> None:
    assert load_effects([]).kinds == {}
