"""How a mistake that pydantic finds is told: what was found, and what is allowed.

A value is never repeated where it could be a secret.
"""

from __future__ import annotations

import difflib
import json
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
)

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ooblexd.config.values import OWN_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic_core import ErrorDetails

KeyPath = tuple[str, ...]
"""Keys from the root of the file; a place in a list is its number as text."""

_LONGEST_FOUND = 60
_URLS = ("source", "url")
_SECRET_KEYS = (*_URLS, "publish_key", "password", "secret")
# Of pydantic, in front of what a validator of the model itself has said.
_PREFIXES = ("Value error, ", "Assertion failed, ")
# Kind of mistake to what is counted, and which bound was passed.
_LENGTHS = {
    "too_long": ("of them", "at most", "max_length"),
    "too_short": ("of them", "at least", "min_length"),
    "string_too_long": ("characters", "at most", "max_length"),
    "string_too_short": ("characters", "at least", "min_length"),
}
_KINDS = {
    str: "must be text",
    bool: "allowed true or false",
    int: "must be a whole number",
    float: "must be a number",
}


def format_found(value: object, path: KeyPath = ()) -> str:
    """Return a value as it may be shown: short, and without any secret."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    is_secret = bool(path) and path[-1] in _SECRET_KEYS
    if isinstance(value, str):
        shown = "text" if is_secret else repr(value)
    elif is_secret and path[-1] not in _URLS and isinstance(value, int | float):
        shown = "a number"  # a key may well be one
    else:
        is_json = value is None or isinstance(value, bool | int | float)
        shown = json.dumps(value) if is_json else str(value)
    return plain_text(shown)[:_LONGEST_FOUND]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean X?`` for a misspelt word, else all that there are."""
    names = list(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    close = close or [name for name in names if word.lower() in name.split("_")]
    if close:
        return f"did you mean {close[0]}?"
    return f"allowed are {', '.join(names)}"


def wording_of(details: ErrorDetails, path: KeyPath, root: type[BaseModel]) -> str:
    """Return what was found at ``path`` of a ``root``, and what is allowed there."""
    kind, found = details["type"], details["input"]
    if kind == OWN_WORDS:
        return details["msg"]
    if kind in {"value_error", "assertion_error"}:
        return _of_validator(details["msg"])
    if kind == "extra_forbidden":
        return f"unknown key, {nearest(path[-1], _keys_at(root, path[:-1]))}"
    if kind == "missing":
        return "missing"
    if kind in _LENGTHS:
        things, bound, limit = _LENGTHS[kind]
        return f"{len(found)} {things}, {bound} {details['ctx'][limit]}"
    return f"{format_found(found, path)}, {_allowed(root, path, details)}"


def _of_validator(message: str) -> str:
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    return plain_text(message)


def _allowed(root: type[BaseModel], path: KeyPath, details: ErrorDetails) -> str:
    if details["type"] in {"model_type", "dict_type"}:
        return "must be a table"
    place = _place_at(root, path)
    if place is None or place.kind is Any:
        is_of_text = details["type"] == "string_type"
        return "must be text" if is_of_text or place is None else details["msg"]
    return _allowed_by(place)


class _Place(NamedTuple):
    """What stands at a key path.

    Attributes:
        kind: Its type.
        limits: What pydantic was told beside it.
    """

    kind: Any
    limits: Sequence[Any] = ()


def _allowed_by(place: _Place) -> str:
    if get_origin(place.kind) is Literal:
        *first, last = (str(choice) for choice in get_args(place.kind))
        return f"allowed {', '.join(first)} or {last}" if first else f"allowed {last}"
    low = next((m.ge for m in place.limits if isinstance(m, Ge)), None)
    high = next((m.le for m in place.limits if isinstance(m, Le)), None)
    if low is not None and high is not None:
        return f"allowed {low} to {high}"
    if low is not None:
        return f"at least {low}"
    if high is not None:
        return f"at most {high}"
    return _KINDS.get(place.kind, "must be a list")


def _keys_at(root: type[BaseModel], path: KeyPath) -> list[str]:
    place = _place_at(root, path)
    return list(place.kind.model_fields) if place and _is_model(place.kind) else []


def _place_at(root: type[BaseModel], path: KeyPath) -> _Place | None:
    place: _Place | None = _Place(root)
    for key in path:
        if place is None:
            return None
        place = _below(place.kind, key)
    return place


def _below(kind: Any, key: str) -> _Place | None:
    if _is_model(kind):
        field = kind.model_fields.get(key)
        return _Place(field.annotation, field.metadata) if field else None
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return _stripped(arguments[1])
    is_container = get_origin(kind) in {tuple, list, Union}
    return _stripped(arguments[0]) if is_container else None


def _stripped(kind: Any) -> _Place:
    """Take ``Annotated`` apart."""
    if get_origin(kind) is not Annotated:
        return _Place(kind)
    inner, *said = get_args(kind)
    limits = [
        limit
        for one in said
        for limit in (one.metadata if isinstance(one, FieldInfo) else [one])
    ]
    return _Place(inner, limits)


def _is_model(kind: Any) -> bool:
    # To Python 3.10 dict[str, int] is a type too, but none to ask for its base.
    is_class = isinstance(kind, type) and get_origin(kind) is None
    return is_class and issubclass(kind, BaseModel)


def plain_text(text: str) -> str:
    """Return ``text`` on one line, as it must not forge lines of a log."""
    return text if text.isprintable() else ascii(text)[1:-1]
