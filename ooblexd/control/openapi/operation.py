"""One method at one path, in the words of OpenAPI that no type could say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]
"""JSON Schema 2020-12."""

PROBLEM_JSON = "application/problem+json"


def component(name: str) -> Schema:
    """Return a reference to a schema of `schemas.build_schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


@dataclass(frozen=True, slots=True)
class Content:
    """A body, of a request or of an answer.

    Attributes:
        media_type: Without parameters.
        schema: Of JSON, or of text; empty for bytes.
        also: Further media types that it may have.
    """

    media_type: str
    schema: Schema = field(default_factory=dict)
    also: tuple[str, ...] = ()


def json_of(name: str) -> Content:
    """Return JSON of the schema ``name``."""
    return Content("application/json", component(name))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the path, of the query, or a header of the request.

    Attributes:
        name: As it is sent.
        place: ``path``, ``query`` or ``header``.
        description: A sentence.
        schema: Of its value.
        is_required: Whether the request is refused without it; in a path always.
    """

    name: str
    place: str
    description: str
    schema: Schema
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back when nothing is wrong.

    Attributes:
        description: What it means.
        content: What is in it; None for an empty one.
        headers: Names out of `document.HEADERS`, beside those that all answers have.
    """

    description: str
    content: Content | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path.

    Attributes:
        operation_id: For generated clients; never renamed.
        method: In capitals; ``HEAD`` and ``OPTIONS`` describe themselves.
        path: As the router has it.
        tag: The group that it is shown in, out of `document.TAGS`.
        summary: A few words.
        answers: What comes back when nothing is wrong, by status.
        description: More than the summary says, in Markdown; or nothing.
        parameters: Of the request.
        body: Of the request.
        refusals: By status, why; each is a problem document. 403 is everybody's.
        alias_of: The path that answers the same.
    """

    operation_id: str
    method: str
    path: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Content | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)
    alias_of: str = ""
