"""One entry of ``effects``: checked against the catalogue of effects, made complete."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ooblexd.config.values import own_words
from ooblexd.effects.catalogue import EFFECTS, MODES, ON_FAILURE, EffectKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OWN_KEYS = ("effect", "mode", "on_failure")


def complete_effect(value: object) -> dict[str, Any]:
    """Return the fields of an `EffectConfig` for what stands in a chain.

    Args:
        value: A name, or a table with ``effect``, perhaps ``mode`` and ``on_failure``,
            and parameters beside them.

    Raises:
        PydanticCustomError: It is neither, or names no effect that there is.
        ValidationError: Keys of the table are wrong, each named.
    """
    entry = {"effect": value} if isinstance(value, str) else value
    if not isinstance(entry, dict):
        raise own_words("must be the name of an effect or a table with effect = NAME")
    kind = _kind_of(entry)
    _raise_problems(kind, entry)
    return {
        "effect": kind.name,
        "mode": entry.get("mode", kind.default_mode),
        "on_failure": entry.get("on_failure", kind.default_on_failure),
        "parameters": kind.resolved(_parameters(entry)),
    }


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean X?`` for a misspelt word, else all that there are."""
    names = list(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    close = close or [name for name in names if word.lower() in name.split("_")]
    if close:
        return f"did you mean {close[0]}?"
    return f"allowed are {', '.join(names)}"


def _kind_of(entry: Mapping[str, Any]) -> EffectKind:
    name = entry.get("effect")
    if not isinstance(name, str):
        raise own_words(f"needs effect = NAME, allowed are {', '.join(EFFECTS)}")
    if name not in EFFECTS:
        raise own_words(f"unknown effect {name!r}, {nearest(name, EFFECTS)}")
    return EFFECTS[name]


def _parameters(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in _OWN_KEYS}


def _raise_problems(kind: EffectKind, entry: Mapping[str, Any]) -> None:
    problems = {
        **_choice_problem(entry, "mode", MODES),
        **_choice_problem(entry, "on_failure", ON_FAILURE),
        **_parameter_problems(kind, _parameters(entry)),
    }
    if problems:
        details = [_details(key, text) for key, text in problems.items()]
        raise ValidationError.from_exception_data("effect", details)


def _details(key: str, text: str) -> InitErrorDetails:
    error: PydanticCustomError = own_words(text)
    return InitErrorDetails(type=error, loc=(key,), input=None)


def _choice_problem(
    entry: Mapping[str, Any], key: str, allowed: tuple[str, ...]
) -> dict[str, str]:
    if entry.get(key, allowed[0]) in allowed:
        return {}
    *first, last = allowed
    return {key: f"{entry[key]!r}, allowed {', '.join(first)} or {last}"}


def _parameter_problems(
    kind: EffectKind, parameters: Mapping[str, Any]
) -> dict[str, str]:
    problems = {}
    for key, value in parameters.items():
        if key not in kind.parameters:
            keys = (*_OWN_KEYS, *kind.parameters)
            problems[key] = f"unknown key, {nearest(key, keys)}"
        elif (problem := kind.parameters[key].problem(value)) is not None:
            problems[key] = problem
    return problems
