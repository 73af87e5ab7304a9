"""What is wrong with a configuration, in words for whoever wrote it.

One line a problem: where, which key, what was found, what is allowed. A value is never
repeated where it could be a secret.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel

from ooblexd.config.effects import nearest
from ooblexd.config.schema import Document
from ooblexd.config.values import OWN_WORDS
from ooblexd.redaction import redact

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

KeyPath = tuple[str, ...]
"""Keys from the root of the file; a place in a list is its number as text."""

_LONGEST_FOUND = 60
_SECRET_KEYS = ("source",)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: The key.
        text: What was found and what is allowed.
    """

    path: KeyPath
    text: str

    def __str__(self) -> str:
        told = f"{format_path(self.path)}: {self.text}" if self.path else self.text
        return redact(told)


def problems_of(
    error: ValidationError, root: type[BaseModel] = Document
) -> list[Problem]:
    """Return every problem that pydantic found in a ``root``, in our words."""
    return [_problem(details, root) for details in error.errors(include_url=False)]


def format_path(path: KeyPath) -> str:
    """Return ``streams.door.effects[0].mode`` for its keys."""
    text = ""
    for depth, key in enumerate(path):
        if key.isdigit() and depth > 1:  # at 1 it is a stream's name
            text += f"[{key}]"
        else:
            text += f".{_plain(key)}" if text else _plain(key)
    return text


def format_found(value: object, path: KeyPath = ()) -> str:
    """Return a value as it may be shown: short, and without any secret."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        if path and path[-1] in _SECRET_KEYS:
            return "text"
        shown = repr(value)
    else:
        is_json = value is None or isinstance(value, bool | int | float)
        shown = json.dumps(value) if is_json else str(value)
    return _plain(shown)[:_LONGEST_FOUND]


def _problem(details: ErrorDetails, root: type[BaseModel]) -> Problem:
    loc = [str(key) for key in details["loc"] if key != "[key]"]
    path = tuple(loc)
    return Problem(path, _text(details, path, root))


def _text(details: ErrorDetails, path: KeyPath, root: type[BaseModel]) -> str:
    kind = details["type"]
    if kind == OWN_WORDS:
        return details["msg"]
    if kind == "extra_forbidden":
        return f"unknown key, {nearest(path[-1], _keys_at(root, path[:-1]))}"
    if kind == "missing":
        return "missing"
    if kind == "too_long":
        limit = details.get("ctx", {}).get("max_length")
        return f"{len(details['input'])} of them, at most {limit}"
    found = format_found(details["input"], path)
    return f"{found}, {_allowed(root, path, kind)}"


def _allowed(root: type[BaseModel], path: KeyPath, kind: str) -> str:
    if kind in {"model_type", "dict_type"}:
        return "must be a table"
    field = _field_at(root, path)
    return "must be text" if field is None else _allowed_by(field)


def _allowed_by(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        *first, last = (str(choice) for choice in get_args(field.annotation))
        return f"allowed {', '.join(first)} or {last}"
    low = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    high = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    if low is not None and high is not None:
        return f"allowed {low} to {high}"
    if field.annotation is bool:
        return "allowed true or false"
    return "must be text" if field.annotation is str else "must be a list"


def _keys_at(root: type[BaseModel], path: KeyPath) -> list[str]:
    model = _model_at(root, path)
    return list(model.model_fields) if model else []


def _field_at(root: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    model = _model_at(root, path[:-1])
    return model.model_fields.get(path[-1]) if model and path else None


def _model_at(root: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    kind: Any = root
    for key in path:
        if _is_model(kind):
            field = kind.model_fields.get(key)
            kind = field.annotation if field else None
        else:
            kind = _item_of(kind)
    return kind if _is_model(kind) else None


def _is_model(kind: Any) -> bool:
    # To Python 3.10 dict[str, int] is a type too, but none to ask for its base.
    is_class = isinstance(kind, type) and get_origin(kind) is None
    return is_class and issubclass(kind, BaseModel)


def _item_of(kind: Any) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return arguments[1]
    return arguments[0] if get_origin(kind) in {tuple, Union} else None


def _plain(text: str) -> str:
    """Return ``text`` on one line, as it must not forge lines of a log."""
    return text if text.isprintable() else ascii(text)[1:-1]
