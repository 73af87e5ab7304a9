"""The operations of the daemon as a whole, and of its pages."""

from __future__ import annotations

from ooblexd.control.openapi.operation import (
    Answer,
    Content,
    Operation,
    Parameter,
    json_of,
)

_TEXT = {"type": "string"}
_IF_NONE_MATCH = Parameter(
    "If-None-Match",
    "header",
    "The `ETag` of what is known already.",
    {"type": "string"},
)
_SAME = Answer("It has not changed.", None, ("ETag",))
_HEALTH = {
    200: Answer("`healthy` or `degraded`.", json_of("HealthDocument")),
    503: Answer("`unhealthy`.", json_of("HealthDocument")),
}


_HTML = Content("text/html", _TEXT)
# The page says so itself, and is the stream's once there is one.
_NO_STREAM = Answer("There is no such stream, says the page.", _HTML)
_ANY_NAME = Parameter("name", "path", "Of the stream.", _TEXT)


def _page(
    operation_id: str, path: str, summary: str, *parameters: Parameter
) -> Operation:
    answers = {200: Answer("HTML.", _HTML, ("ETag",)), 304: _SAME}
    if parameters:
        answers[404] = _NO_STREAM
    return Operation(
        operation_id,
        "GET",
        path,
        "Daemon",
        summary,
        answers,
        parameters=(*parameters, _IF_NONE_MATCH),
    )


DAEMON = (
    Operation(
        "check_health",
        "GET",
        "/health",
        "Daemon",
        "Say how the daemon is",
        _HEALTH,
        description="`healthy`: all as configured. `degraded`: a stream is down, "
        "covered or given up. `unhealthy`: the supervisor is overdue, or there is no "
        "shared memory.",
    ),
    Operation(
        "check_readiness",
        "GET",
        "/readyz",
        "Aliases",
        "Say whether the daemon is ready",
        _HEALTH,
        alias_of="/health",
    ),
    Operation(
        "check_liveness",
        "GET",
        "/healthz",
        "Daemon",
        "Say that the daemon is alive",
        {200: Answer("It is.", Content("text/plain", _TEXT))},
    ),
    Operation(
        "read_metrics",
        "GET",
        "/metrics",
        "Daemon",
        "Read the metrics",
        {200: Answer("Prometheus text, 0.0.4.", Content("text/plain", _TEXT))},
    ),
    Operation(
        "describe_api",
        "GET",
        "/openapi.json",
        "Daemon",
        "Describe the API",
        {
            200: Answer(
                "This document.",
                Content("application/json", {"type": "object"}),
                ("ETag",),
            ),
            304: _SAME,
        },
        parameters=(_IF_NONE_MATCH,),
    ),
    _page("show_page", "/", "Show the page"),
    _page("show_docs", "/docs", "Show this description"),
    _page("show_watch_page", "/watch/{name}", "Show a stream in a window", _ANY_NAME),
    _page("show_publish_page", "/publish/{name}", "Publish a camera", _ANY_NAME),
    Operation(
        "load_file",
        "GET",
        "/static/{file}",
        "Daemon",
        "Load a file of the pages",
        {
            200: Answer("The file.", Content("*/*"), ("ETag",)),
            304: _SAME,
        },
        parameters=(
            Parameter("file", "path", "Its name.", _TEXT),
            _IF_NONE_MATCH,
        ),
        refusals={404: "There is no such file."},
    ),
)
