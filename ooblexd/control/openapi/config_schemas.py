"""The schemas of the whole configuration, as it is shown and as it is patched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ooblexd.config.values import STREAM_NAME
from ooblexd.control.openapi.operation import component

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ooblexd.control.openapi.operation import Schema

_KEYS = {"type": "array", "items": {"type": "string"}}


def config_schemas(
    document: Mapping[str, Any], stream: Mapping[str, Any]
) -> dict[str, Schema]:
    """Return the schemas of the whole configuration, shown and patched.

    Args:
        document: JSON schema of the configuration file.
        stream: Of a stream's configuration, as it is shown.
    """
    names = [key for key in document["properties"] if key != "streams"]
    sections = {name: document["$defs"][_class_of(document, name)] for name in names}
    told = {
        "file": {"type": "string", "description": "Where it is written."},
        "environment": {
            "type": "object",
            "description": "Which key is set by which variable.",
            "additionalProperties": {"type": "string"},
        },
        "restart_needed": {**_KEYS, "description": "Keys that wait for a restart."},
        "reload_needed": {
            **_KEYS,
            "description": "Streams that were edited by hand and not loaded yet.",
        },
    }
    shown = {"type": "object", "additionalProperties": stream}
    return {
        "IceServerConfig": document["$defs"]["IceServerConfig"],
        "Config": {
            "type": "object",
            "description": "The whole configuration.",
            "properties": {**told, **sections, "streams": shown},
            "required": [*told, *sections, "streams"],
        },
        "ConfigPatch": {
            "type": "object",
            "description": "A merge patch (RFC 7396): what is not named stays, null is "
            "the default and removes a stream. `***` leaves a secret as it is.",
            "properties": {
                **{name: _patch_of(section) for name, section in sections.items()},
                "streams": _or_null(
                    {
                        "type": "object",
                        "propertyNames": {"pattern": f"^{STREAM_NAME.pattern}$"},
                        "additionalProperties": _or_null(component("StreamPatch")),
                    }
                ),
            },
            "additionalProperties": False,
        },
    }


def _class_of(document: Mapping[str, Any], section: str) -> str:
    return str(document["properties"][section]["$ref"]).rpartition("/")[2]


def _patch_of(section: Mapping[str, Any]) -> Schema:
    keys = {key: _or_null(schema) for key, schema in section["properties"].items()}
    return _or_null({**section, "properties": keys})


def _or_null(schema: Mapping[str, Any]) -> Schema:
    return {"anyOf": [dict(schema), {"type": "null"}]}
