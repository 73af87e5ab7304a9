"""One entry of ``effects``: checked by the effect's own model, made complete.

An effect may be of another package, so anything may come out of its model; what it
raises is a problem of the configuration like any other, with its place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ooblexd.config.values import own_words
from ooblexd.config.wording import nearest, wording_of
from ooblexd.effects.catalogue import (
    EFFECTS,
    LEAST_DEADLINE_MS,
    MODES,
    MOST_DEADLINE_MS,
    ON_FAILURE,
    EffectKind,
    named_object,
)
from ooblexd.effects.packages import all_effects, effect_kind, installed_effects
from ooblexd.effects.parameters import plain
from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ooblexd.config.schema import EffectConfig

_OWN_KEYS = ("effect", "mode", "on_failure", "deadline_ms")
_MOST_CHAIN_BYTES = 3000
"""As JSON: the plan of a stream travels in one message of 4096."""


def complete_effect(value: object) -> dict[str, Any]:
    """Return the fields of an `EffectConfig` for what stands in a chain.

    Args:
        value: A name, or a table with ``effect``, perhaps ``mode``, ``on_failure`` and
            ``deadline_ms``, and parameters beside them.

    Raises:
        PydanticCustomError: It is neither, or names no effect that there is.
        ValidationError: Keys of the table are wrong, each named.
    """
    entry = {"effect": value} if isinstance(value, str) else value
    if not isinstance(entry, dict):
        raise own_words("must be the name of an effect or a table with effect = NAME")
    kind = _kind_of(entry)
    parameters, problems = _checked(kind, entry)
    problems = [
        *_choice_problem(entry, "mode", MODES),
        *_choice_problem(entry, "on_failure", ON_FAILURE),
        *_deadline_problem(entry),
        *problems,
    ]
    if problems:
        raise ValidationError.from_exception_data("effect", problems)
    return {
        "effect": kind.name,
        "mode": entry.get("mode", kind.default_mode),
        "on_failure": entry.get("on_failure", kind.default_on_failure),
        "deadline_ms": int(entry.get("deadline_ms", kind.default_deadline_ms)),
        "parameters": parameters,
    }


def written_effect(effect: EffectConfig) -> str | dict[str, Any]:
    """Return an effect as a person would write it: its name where all is as usual."""
    kind = effect_kind(effect.effect)
    usual = {
        "mode": kind.default_mode,
        "on_failure": kind.default_on_failure,
        "deadline_ms": kind.default_deadline_ms,
        **default_parameters(kind),
    }
    said = {
        "mode": effect.mode,
        "on_failure": effect.on_failure,
        "deadline_ms": effect.deadline_ms,
        **effect.parameters,
    }
    value = {k: v for k, v in said.items() if k not in usual or v != usual[k]}
    return {"effect": effect.effect, **value} if value else effect.effect


def default_parameters(kind: EffectKind) -> dict[str, Any]:
    """Return the parameters that need not be given, each with its default."""
    model = parameters_model(kind)
    fields = model.model_fields.items()
    given = {name for name, field in fields if field.is_required()}
    values = plain(model.model_construct())
    return {name: value for name, value in values.items() if name not in given}


def parameters_model(kind: EffectKind) -> type[BaseModel]:
    """Import the model of an effect's parameters.

    Raises:
        ConfigError: It cannot be imported, or is none.
    """
    try:
        model = named_object(kind.parameters)
    except (Exception, SystemExit) as error:
        found = f"{type(error).__name__}: {error}"
        raise ConfigError([f"effect {kind.name!r} cannot be used: {found}"]) from error
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ConfigError([f"effect {kind.name!r}: {kind.parameters} is no model"])
    return model


def check_chain(chain: Sequence[EffectConfig]) -> Sequence[EffectConfig]:
    """Return ``chain`` if its effects can work on one another.

    Raises:
        PydanticCustomError: What an effect has to find, the one before it takes away;
            or all that is said is too long.
    """
    hiding = ""
    for place, effect in enumerate(chain):
        kind = effect_kind(effect.effect)
        if kind.needs_detail and hiding:
            raise own_words(
                f"{effect.effect} at [{place}] cannot find anything in what {hiding} "
                f"leaves; it must stand before it"
            )
        hiding = effect.effect if kind.hides_detail else hiding
    said = len(json.dumps([effect.parameters for effect in chain]))
    if said > _MOST_CHAIN_BYTES:
        raise own_words(
            f"all parameters together are {said} bytes as JSON, at most "
            f"{_MOST_CHAIN_BYTES}: fewer points or less text"
        )
    return chain


def _kind_of(entry: Mapping[str, Any]) -> EffectKind:
    name = entry.get("effect")
    if not isinstance(name, str):
        raise own_words(f"needs effect = NAME, allowed are {', '.join(all_effects())}")
    if name in EFFECTS:
        return EFFECTS[name]
    found = installed_effects()
    if name not in found.kinds and all(one.name != name for one in found.unavailable):
        raise own_words(f"unknown effect {name!r}, {nearest(name, all_effects())}")
    try:
        return effect_kind(name)
    except ConfigError as error:
        raise own_words(str(error)) from error


def _checked(
    kind: EffectKind, entry: Mapping[str, Any]
) -> tuple[dict[str, Any], list[InitErrorDetails]]:
    """Return the parameters of an entry, complete, or what is wrong with them."""
    parameters = {key: value for key, value in entry.items() if key not in _OWN_KEYS}
    try:
        model = parameters_model(kind)
    except ConfigError as error:
        raise own_words(str(error)) from error
    try:
        return plain(model.model_validate(parameters)), []
    except ValidationError as error:
        return {}, [_in_our_words(one, model) for one in error.errors()]
    except Exception as error:  # another package's validator; its mistake has a place
        found = f"{type(error).__name__}: {error}"
        raise own_words(f"the parameters of {kind.name} break it: {found}") from error


def _in_our_words(details: Any, model: type[BaseModel]) -> InitErrorDetails:
    path = tuple(str(key) for key in details["loc"])
    if details["type"] == "extra_forbidden":
        keys = (*_OWN_KEYS, *model.model_fields)
        return _details(path, f"unknown key, {nearest(path[-1], keys)}")
    return _details(path, wording_of(details, path, model))


def _details(path: tuple[str, ...], text: str) -> InitErrorDetails:
    error: PydanticCustomError = own_words(text)
    return InitErrorDetails(type=error, loc=path, input=None)


def _choice_problem(
    entry: Mapping[str, Any], key: str, allowed: tuple[str, ...]
) -> list[InitErrorDetails]:
    if entry.get(key, allowed[0]) in allowed:
        return []
    *first, last = allowed
    text = f"{entry[key]!r}, allowed {', '.join(first)} or {last}"
    return [_details((key,), text)]


def _deadline_problem(entry: Mapping[str, Any]) -> list[InitErrorDetails]:
    value = entry.get("deadline_ms", LEAST_DEADLINE_MS)
    # To JSON 1000.0 is whole as well, and some clients write each number so.
    is_whole = isinstance(value, int) or (
        isinstance(value, float) and value.is_integer()
    )
    is_whole = is_whole and not isinstance(value, bool)
    if is_whole and LEAST_DEADLINE_MS <= value <= MOST_DEADLINE_MS:
        return []
    allowed = f"allowed {LEAST_DEADLINE_MS} to {MOST_DEADLINE_MS}"
    return [_details(("deadline_ms",), f"{value!r}, {allowed}")]
