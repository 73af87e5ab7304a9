"""The operations of the streams, and of what they can be made of."""

from __future__ import annotations

from ooblexd.control.openapi.operation import Answer, Operation, Parameter, json_of
from ooblexd.control.openapi.schemas import NAME

STREAM_NAME = Parameter("name", "path", "Of the stream.", NAME)
NO_STREAM = {404: "There is no such stream."}

IF_MATCH = Parameter(
    "If-Match",
    "header",
    "An `ETag` of what is changed: the change is made only if nobody has changed "
    "its configuration since.",
    {"type": "string"},
)
NO_JSON = {
    400: "The body is not JSON.",
    408: "The body did not come in time.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not said to be `application/json`.",
}
_NO_CHANGE = {
    **NO_STREAM,
    409: "The environment sets what was to be changed, or the stream is being stopped.",
    412: "`If-Match` names another version.",
    503: "The file cannot be written, the system gives no more descriptors (see "
    "`Retry-After`), or the supervisor does not answer.",
}
_NOT_VALID = {422: "The table is not valid; `errors` names the keys."}
_NO_MEMORY = {507: "There is too little shared memory; the numbers are in it."}

STREAMS = (
    Operation(
        "list_streams",
        "GET",
        "/api/v1/streams",
        "Streams",
        "List the streams",
        {200: Answer("All streams.", json_of("StreamList"))},
    ),
    Operation(
        "add_stream",
        "POST",
        "/api/v1/streams",
        "Streams",
        "Add a stream",
        {201: Answer("It runs.", json_of("Stream"), ("ETag", "Location"))},
        description="It is written to the configuration file. Sources that reach into "
        "this machine (`file:`, `exec:`, `/dev/`) are accepted from that file only.",
        body=json_of("NewStream"),
        refusals={
            **NO_JSON,
            403: "The source may only be set in the file, or `Host` or `Origin` is not "
            "this daemon's.",
            409: "There is a stream of that name, or the environment sets it.",
            **_NOT_VALID,
            503: _NO_CHANGE[503],
            **_NO_MEMORY,
        },
    ),
    Operation(
        "show_stream",
        "GET",
        "/api/v1/streams/{name}",
        "Streams",
        "Show a stream",
        {200: Answer("The stream.", json_of("Stream"), ("ETag",))},
        parameters=(STREAM_NAME,),
        refusals=NO_STREAM,
    ),
    Operation(
        "change_stream",
        "PATCH",
        "/api/v1/streams/{name}",
        "Streams",
        "Change a stream",
        {200: Answer("As it is now.", json_of("Stream"), ("ETag",))},
        description="By a merge patch (RFC 7396). Other streams are not interrupted.",
        parameters=(STREAM_NAME, IF_MATCH),
        body=json_of("StreamPatch"),
        refusals={
            **NO_JSON,
            **_NO_CHANGE,
            403: "The source may only be set in the file, or `Host` or `Origin` is not "
            "this daemon's.",
            **_NOT_VALID,
            **_NO_MEMORY,
        },
    ),
    Operation(
        "remove_stream",
        "DELETE",
        "/api/v1/streams/{name}",
        "Streams",
        "Remove a stream",
        {204: Answer("It is gone, from the configuration file too.")},
        description="Needs no body and no `Content-Type`.",
        parameters=(STREAM_NAME, IF_MATCH),
        refusals=_NO_CHANGE,
    ),
    Operation(
        "replace_effects",
        "PUT",
        "/api/v1/streams/{name}/effects",
        "Streams",
        "Replace the effects",
        {202: Answer("As it will be.", json_of("Stream"), ("ETag",))},
        description="If the new chain protects more, nothing leaves without it from "
        "this answer on: the picture is covered until it is warm. Else the old chain "
        "runs until then. No viewer is disconnected.",
        parameters=(STREAM_NAME, IF_MATCH),
        body=json_of("EffectChain"),
        refusals={**NO_JSON, **_NO_CHANGE, **_NOT_VALID, **_NO_MEMORY},
    ),
    Operation(
        "list_effects",
        "GET",
        "/api/v1/effects",
        "Choices",
        "List the effects",
        {200: Answer("All effects.", json_of("EffectKindList"))},
        description="Each with the JSON schema of its parameters.",
    ),
    Operation(
        "list_engines",
        "GET",
        "/api/v1/engines",
        "Choices",
        "List the engines",
        {200: Answer("All engines.", json_of("EngineList"))},
        description="What runs the networks of the effects.",
    ),
)
