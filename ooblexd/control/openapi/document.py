"""The document: router, operations and schemas joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ooblexd._version import __version__
from ooblexd.control.openapi.config import CONFIG
from ooblexd.control.openapi.daemon import DAEMON
from ooblexd.control.openapi.operation import PROBLEM_JSON, component
from ooblexd.control.openapi.pictures import PICTURES
from ooblexd.control.openapi.probe import PROBE
from ooblexd.control.openapi.schemas import build_schemas
from ooblexd.control.openapi.streams import STREAMS
from ooblexd.control.openapi.video import VIDEO_OPERATIONS
from ooblexd.control.openapi.webrtc import WEBRTC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.control.openapi.operation import (
        Answer,
        Content,
        Operation,
        Parameter,
    )

OPERATIONS = {
    (operation.method, operation.path): operation
    for operation in (
        *(*STREAMS, *PICTURES, *VIDEO_OPERATIONS, *WEBRTC, *DAEMON, *CONFIG, PROBE),
    )
}
"""Every operation by method and path."""

TAGS = {
    "Streams": "What comes in, what is done to it, and how it is going.",
    "Pictures": "What viewers see, and what clients send.",
    "Choices": "What a stream can be made of.",
    "Daemon": "The daemon as a whole.",
    "Aliases": "Paths of other programs, for clients that know those.",
}

_ABOUT = """\
A camera goes in, protected pictures come out.

* Errors are problem documents (RFC 9457), `application/problem+json`.
* A change needs `Content-Type: application/json`, but for one without a body.
* Each answer carries `X-Request-ID`: the request's, or a new one.
* A request needs a `Host` that is loopback or in `http.allowed_hosts`; a change from a
  browser needs the same `Origin`. Else 403.
* Every `GET` answers `HEAD` too, and every path `OPTIONS`: `Allow`, `Accept-Post` and
  `Accept-Patch` say what may be sent.
"""

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's, or a new one; the log names it where the "
        "daemon made a mistake.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "Of this version, for `If-Match` or `If-None-Match`.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Of what was made.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Accept-Patch": {
        "description": "The type of further candidates.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Link": {
        "description": 'A STUN or TURN server to use, `rel="ice-server"` (RFC 9725, '
        "4.6), one header each.",
        "schema": {"type": "string"},
    },
    "X-Picture": {
        "description": "What the picture is: of the source, the last one held for at "
        "most a second, a cover, or a slate.",
        "required": True,
        "schema": component("Picture"),
    },
    "X-Sequence": {
        "description": "Number of the source's frame; absent on a slate.",
        "schema": {"type": "string", "pattern": r"^\d+$"},
    },
    "X-Capture-Time": {
        "description": "When it was taken, unix seconds with microseconds; absent on "
        "a slate.",
        "schema": {"type": "string", "pattern": r"^\d+\.\d{6}$"},
    },
    "X-Frame-Age-Ms": {
        "description": "How old it is as it leaves; absent on a slate.",
        "schema": {"type": "string", "pattern": r"^\d+\.\d$"},
    },
}

_FORBIDDEN = "`Host` or `Origin` is not this daemon's."


def build_document(routes: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the OpenAPI document of the routes that there are.

    Args:
        routes: Method and path of each.

    Raises:
        KeyError: A route has no `Operation`.
    """
    paths: dict[str, dict[str, Any]] = {}
    for method, path in routes:
        operation = _operation(OPERATIONS[method, path])
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ooblexd",
            "version": __version__,
            "summary": "Live video, transformed on this box.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This daemon."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": build_schemas(),
            "headers": HEADERS,
            "responses": {"Forbidden": _refusal(_FORBIDDEN)},
            "parameters": {"X-Request-ID": _REQUEST_ID},
        },
    }


_REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Comes back with the answer; up to 128 of letters, digits and "
    "`._:/+=-`.",
    "schema": {"type": "string"},
}


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation),
        "parameters": [
            *map(_parameter, operation.parameters),
            {"$ref": "#/components/parameters/X-Request-ID"},
        ],
        "responses": {
            **{str(s): _answer(a) for s, a in operation.answers.items()},
            "403": {"$ref": "#/components/responses/Forbidden"},
            **{str(s): _refusal(text) for s, text in operation.refusals.items()},
        },
    }
    if operation.body is not None:
        body = {"required": True, "content": _content(operation.body)}
        described["requestBody"] = body
    if operation.alias_of:
        described["x-alias-of"] = operation.alias_of
    return described


def _description(operation: Operation) -> str:
    if not operation.alias_of:
        return operation.description
    return f"Alias of `{operation.alias_of}`. {operation.description}".rstrip()


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.is_required or parameter.place == "path",
        "schema": parameter.schema,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": answer.description,
        "headers": _headers("X-Request-ID", *answer.headers),
    }
    if answer.content is not None:
        described["content"] = _content(answer.content)
    return described


def _refusal(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _headers("X-Request-ID"),
        "content": {PROBLEM_JSON: {"schema": component("Problem")}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _content(content: Content) -> dict[str, Any]:
    schema = {"schema": content.schema} if content.schema else {}
    return dict.fromkeys((content.media_type, *content.also), schema)
