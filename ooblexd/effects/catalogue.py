"""Which effects there are and what may be said about them, without their code.

The configuration and the control API validate against this and must stay light: nothing
here, nor anything it imports, loads numpy, OpenCV or an engine. What an effect *does*
lies in the module that its row names, and is imported when one is built.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("every_frame", "tracked")
ON_FAILURE = ("cover", "hold", "pass")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an effect.

    Attributes:
        default: Its value where the configuration is silent.
        description: One sentence for people.
        minimum: Least value of a number, itself allowed.
        maximum: Greatest value of a number, itself allowed.
        choices: Every value of a text.
    """

    default: float | str
    description: str
    minimum: float = 0.0
    maximum: float = 1.0
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Return the parameter as JSON schema."""
        said: dict[str, Any] = {
            "default": self.default,
            "description": self.description,
        }
        if self.choices:
            return {"type": "string", "enum": list(self.choices), **said}
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return {"type": "number", **limits, **said}

    def problem(self, value: object) -> str | None:
        """Say what is wrong with ``value``, or nothing."""
        if self.choices:
            allowed = ", ".join(self.choices)
            return None if value in self.choices else f"{value!r}, allowed: {allowed}"
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and self.minimum <= value <= self.maximum:  # type: ignore[operator] # is_number
            return None
        return f"{value!r}, allowed: {self.minimum:g} to {self.maximum:g}"


@dataclass(frozen=True, slots=True)
class EffectKind:
    """One effect that a configuration can name.

    Attributes:
        name: As the configuration says it.
        summary: One sentence for people.
        module: Where ``build(plan, engines)`` is, imported when it is called for.
        is_privacy: Whether a frame without it must never be shown.
        parameters: Its own, by name.
        default_mode: One of `MODES`.
        default_on_failure: One of `ON_FAILURE`.
    """

    name: str
    summary: str
    module: str
    is_privacy: bool = False
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    default_mode: str = "every_frame"
    default_on_failure: str = "pass"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the effect's parameters."""
        return {
            "type": "object",
            "properties": {name: p.schema() for name, p in self.parameters.items()},
            "additionalProperties": False,
        }

    def problems(self, parameters: Mapping[str, object]) -> list[str]:
        """Return what is wrong: key, value found and values allowed."""
        found = []
        for key, value in parameters.items():
            if key not in self.parameters:
                found.append(f"{key}: {_unknown(key, self.parameters)}")
            elif said := self.parameters[key].problem(value):
                found.append(f"{key}: {said}")
        return found

    def resolved(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``parameters`` with the defaults of those that are absent.

        Raises:
            ConfigError: A name is unknown or a value not allowed.
        """
        if problems := self.problems(parameters):
            raise ConfigError([f"{self.name}.{problem}" for problem in problems])
        defaults = {name: p.default for name, p in self.parameters.items()}
        return {**defaults, **parameters}


def effect_kind(name: str) -> EffectKind:
    """Return the effect of that name.

    Raises:
        ConfigError: There is none; the message names the nearest and all.
    """
    if name not in EFFECTS:
        raise ConfigError([f"effect {name!r}: {_unknown(name, EFFECTS)}"])
    return EFFECTS[name]


def _unknown(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    question = f", did you mean `{near[0]}`?" if near else ""
    return f"unknown{question} (there are {', '.join(known) or 'none'})"


_FACES = {
    "strength": Parameter(
        0.7, "How coarse the covered face becomes; irreversible at 0 too."
    ),
    "margin": Parameter(
        0.4,
        "How far the cover reaches beyond the face, as a share of its size.",
        minimum=0.3,
        maximum=1.5,
    ),
    "hold_ms": Parameter(
        1000.0,
        "How long a face stays covered that the detector no longer sees.",
        minimum=200.0,
        maximum=10_000.0,
    ),
    "threshold": Parameter(
        0.3,
        "How sure the detector must be of a new face; less finds more, rightly and "
        "wrongly. A face already covered needs less.",
        minimum=0.05,
        maximum=0.95,
    ),
    "detail": Parameter(
        "normal",
        "`high` looks at smaller parts as well: it finds faces two thirds as large "
        "and costs four times as much.",
        choices=("normal", "high"),
    ),
}

EFFECTS: dict[str, EffectKind] = {
    kind.name: kind
    for kind in (
        EffectKind(
            name="blur_faces",
            summary="Covers every face by a soft, irreversible blur.",
            module="ooblexd.effects.faces",
            is_privacy=True,
            parameters=_FACES,
            default_on_failure="cover",
        ),
        EffectKind(
            name="pixelate_faces",
            summary="Covers every face by large square cells.",
            module="ooblexd.effects.faces",
            is_privacy=True,
            parameters=_FACES,
            default_on_failure="cover",
        ),
        EffectKind(
            name="none",
            summary="Shows the picture as it is.",
            module="ooblexd.effects.nothing",
        ),
    )
}
"""Every effect, by name."""
