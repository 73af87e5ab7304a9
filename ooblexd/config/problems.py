"""What is wrong with a configuration, in words for whoever wrote it.

One line a problem: where, which key, what was found, what is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ooblexd.config.schema import Document
from ooblexd.config.wording import KeyPath, plain_text, wording_of
from ooblexd.redaction import redact

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["KeyPath", "Problem", "format_path", "problems_of"]


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
            text += f".{plain_text(key)}" if text else plain_text(key)
    return text


def _problem(details: ErrorDetails, root: type[BaseModel]) -> Problem:
    loc = [str(key) for key in details["loc"] if key != "[key]"]
    path = tuple(loc)
    return Problem(path, wording_of(details, path, root))
