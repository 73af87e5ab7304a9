"""The operation that looks at a source."""

from __future__ import annotations

from ooblexd.control.openapi.operation import Answer, Operation, json_of

PROBE = Operation(
    "probe_source",
    "POST",
    "/api/v1/probe",
    "Streams",
    "Say what a source is",
    {200: Answer("What it is, or why it cannot be read.", json_of("SourceReport"))},
    description="Opens the source, watches it for some three seconds and closes it "
    "again. A source that cannot be read is an answer too: `ok` is false, and `reason` "
    "says why. `exec:`, `file:` and `/dev/` are for the configuration file alone: 403.",
    body=json_of("ProbeRequest"),
    refusals={
        400: "The body is not JSON.",
        413: "The body is too large.",
        415: "The body is not said to be JSON.",
        422: "There is no such source.",
        429: "Three sources are looked at already; `Retry-After` says when to ask.",
        503: "The process that looks at it has died.",
        504: "The process that looks at it has not ended in time.",
    },
)
