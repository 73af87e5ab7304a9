"""The operations of the configuration as a whole."""

from __future__ import annotations

from ooblexd.control.openapi.operation import Answer, Operation, json_of
from ooblexd.control.openapi.streams import IF_MATCH, NO_JSON

_SHOWN = Answer("The configuration.", json_of("Config"), ("ETag",))
_UNUSABLE = {
    503: "The file cannot be used or written; `errors` says what is wrong with it, and "
    "`runs` what runs instead. Or the supervisor does not answer."
}

CONFIG = (
    Operation(
        "show_config",
        "GET",
        "/api/v1/config",
        "Daemon",
        "Show the configuration",
        {200: _SHOWN},
        description="The file with the environment over it, defaults included and "
        "secrets masked.",
        refusals=_UNUSABLE,
    ),
    Operation(
        "change_config",
        "PATCH",
        "/api/v1/config",
        "Daemon",
        "Change the configuration",
        {200: _SHOWN},
        description="By a merge patch (RFC 7396) of any part; all of it or nothing. "
        "What differs then runs, what was edited by hand and not loaded yet too, and "
        "is in the file, its comments kept.",
        parameters=(IF_MATCH,),
        body=json_of("ConfigPatch"),
        refusals={
            **NO_JSON,
            403: "A source may only be set in the file, or `Host` or `Origin` is not "
            "this daemon's.",
            409: "The environment sets what was to be changed, or a stream is being "
            "stopped.",
            412: "`If-Match` names another version.",
            422: "The configuration would not be valid; `errors` names the keys.",
            507: "There is too little shared memory; the numbers are in it.",
            **_UNUSABLE,
        },
    ),
)
