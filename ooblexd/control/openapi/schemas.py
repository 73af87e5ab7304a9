"""Every schema of the API by its name, made by pydantic from the types in use."""

from __future__ import annotations

import json
import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from ooblexd.config.push import BY_API as PUSH_BY_API
from ooblexd.config.schema import Document, StreamConfig
from ooblexd.config.source import BY_API, MAX_SOURCE_LETTERS
from ooblexd.config.values import MAX_EFFECTS, STREAM_NAME
from ooblexd.control.answers import (
    DiagnosisReport,
    EffectKindReport,
    EngineReport,
    StreamReport,
)
from ooblexd.control.catalogue import list_effects
from ooblexd.control.health import HealthDocument
from ooblexd.control.openapi.config_schemas import config_schemas
from ooblexd.control.openapi.operation import Schema, component
from ooblexd.control.probe import ProbeRequest
from ooblexd.pushes.url import MOST_LETTERS
from ooblexd.sources.report import SourceReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from pydantic_core import core_schema

_REF = "#/components/schemas/{model}"
_TYPES = (
    StreamReport,
    EffectKindReport,
    EngineReport,
    DiagnosisReport,
    HealthDocument,
    SourceReport,
    ProbeRequest,
)
_ATTRIBUTE = re.compile(r"^ {4}(\w+): ", re.MULTILINE)

NAME: Schema = {
    "type": "string",
    "pattern": f"^{STREAM_NAME.pattern}$",
    "description": "1 to 63 of a-z, 0-9, _ and -, the first a letter or digit.",
}
"""What a stream may be called."""

_SOURCE: Schema = {"pattern": BY_API, "maxLength": MAX_SOURCE_LETTERS}

_CAMERA = {"source": "rtsp://user:password@192.0.2.20/stream1"}


def build_schemas() -> dict[str, Schema]:
    """Return ``components.schemas``."""
    adapters = [(kind, "serialization", TypeAdapter(kind)) for kind in _TYPES]
    _, found = TypeAdapter.json_schemas(
        adapters,  # type: ignore[arg-type] # a tuple's literal is not narrowed
        ref_template=_REF,
        schema_generator=_Generator,
    )
    made: dict[str, Schema] = _flat(found["$defs"])
    report = made.pop("StreamReport")
    config = _schema_of(StreamConfig)
    within = {**config.get("$defs", {})}
    within.pop("EffectConfig")  # as it is inside; `_effects` says what is written
    entry = _push_entry(within["PushConfig"])
    streams = _streams(report, config)
    return {
        **streams,
        **config_schemas(_schema_of(Document), _shown_of(streams["Stream"], config)),
        **within,
        "PushEntry": entry,
        **_effects(),
        **made,
        "EffectKindList": _list_of("EffectKindReport"),
        "EngineList": _list_of("EngineReport"),
        "Problem": PROBLEM,
    }


def _schema_of(model: type[BaseModel]) -> Schema:
    schema: Schema = _flat(
        model.model_json_schema(ref_template=_REF, schema_generator=_Generator)
    )
    return schema


def _flat(value: Any) -> Any:
    """Return a schema as pydantic 2.10 has it: before, a lone ``$ref`` was wrapped."""
    if isinstance(value, list):
        return [_flat(item) for item in value]
    if not isinstance(value, dict):
        return value
    flat = {key: _flat(inner) for key, inner in value.items()}
    match flat.get("allOf"):
        case [{"$ref": str()} as reference]:
            return {**reference, **{k: v for k, v in flat.items() if k != "allOf"}}
        case _:
            return flat


def _shown_of(stream: Schema, config: Schema) -> Schema:
    """Return the schema of a shown stream's configuration alone."""
    keys = list(config["properties"])
    properties = {key: stream["properties"][key] for key in keys}
    return {"type": "object", "properties": properties, "required": keys}


PROBLEM: Schema = {
    "type": "object",
    "description": "What is wrong with a request, RFC 9457.",
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "A sentence for the sender."},
        "errors": {
            "type": "array",
            "description": "What is wrong with which key.",
            "items": {
                "type": "object",
                "properties": {
                    "key": {"type": "string", "examples": ["effects[0].mode"]},
                    "detail": {"type": "string"},
                    "place": {"type": "string", "examples": ["ooblexd.toml:7"]},
                },
                "required": ["key", "detail"],
            },
        },
        "runs": {"type": "string", "description": "What runs instead of the file."},
        "needed_bytes": {"type": "integer", "description": "With 507."},
        "free_bytes": {"type": "integer", "description": "With 507."},
    },
    "required": ["type", "title", "status", "detail"],
}


def _streams(report: Schema, config: Schema) -> dict[str, Schema]:
    source = {**config["properties"]["source"], **_SOURCE}
    said = {"description": config["properties"]["effects"]["description"]}
    push = _pushes(config["properties"]["push"])
    entries = {**_chain("EffectEntry"), **said}
    keys = {**config["properties"], "source": source, "effects": entries, "push": push}
    chain = {**_chain("Effect"), **said}
    shown = {key: _without_default(s) for key, s in config["properties"].items()}
    properties = {**report["properties"], **shown, "effects": chain}
    required = ["source"]
    return {
        "Stream": {
            "type": "object",
            "description": "A stream: what it does, and its configuration. Source and "
            "pushes show no secret.",
            "properties": {**properties, "name": NAME},
            "required": list(properties),
        },
        "StreamList": _list_of("Stream"),
        "NewStream": {
            "type": "object",
            "description": "The name, and what stands under `[streams.NAME]` in the "
            "configuration file.",
            "properties": {"name": NAME, **keys},
            "required": ["name", *required],
            "additionalProperties": False,
            "examples": [{"name": "door", **_CAMERA, "effects": ["blur_faces"]}],
        },
        "StreamPatch": {
            "type": "object",
            "description": "A merge patch (RFC 7396): what is not named stays, null is "
            "the default. `***` in the source or a push leaves its secret as it is.",
            "properties": {
                key: schema if key in required else _nullable(schema)
                for key, schema in keys.items()
            },
            "additionalProperties": False,
            "examples": [{"max_fps": 10}],
        },
        "EffectChain": {**_chain("EffectEntry"), "examples": [["blur_faces"]]},
    }


_PUSH_URL: Schema = {
    "type": "string",
    "pattern": PUSH_BY_API,
    "maxLength": MOST_LETTERS,
    "examples": ["rtmp://example.net/live/key"],
}


def _push_entry(shown: Schema) -> Schema:
    """Return what may be written as a table of a push."""
    properties = {**shown["properties"], "url": _PUSH_URL}
    return {**shown, "properties": properties}


def _pushes(shown: Schema) -> Schema:
    """Return what may be written as pushes: addresses, or tables with one."""
    items = {"anyOf": [_PUSH_URL, component("PushEntry")]}
    return {**_without_default(shown), "items": items}


def _effects() -> dict[str, Schema]:
    kinds = {item.effect: item.schema for item in list_effects() if item.is_available}
    tables = {name: f"Effect_{name}" for name in kinds}
    bare = [name for name, schema in kinds.items() if schema["required"] == ["effect"]]
    return {
        "Effect": {
            "description": "An effect of a stream, complete.",
            "oneOf": [component(table) for table in tables.values()],
            "discriminator": {
                "propertyName": "effect",
                "mapping": {n: component(t)["$ref"] for n, t in tables.items()},
            },
        },
        "EffectEntry": {
            "description": "The name of an effect, or a table of its name and what "
            "differs from its defaults.",
            "anyOf": [
                {"type": "string", "enum": bare},
                *(component(table) for table in tables.values()),
            ],
        },
        **{table: _as_component(table, kinds[name]) for name, table in tables.items()},
    }


def _as_component(name: str, schema: Mapping[str, Any]) -> Schema:
    """Return a schema that stood alone; what it refers to within itself moves along."""
    plain = {key: value for key, value in schema.items() if key != "$schema"}
    place = f'"#/components/schemas/{name}/$defs/'
    moved: Schema = json.loads(json.dumps(plain).replace('"#/$defs/', place))
    return moved


def _chain(of: str) -> Schema:
    return {"type": "array", "items": component(of), "maxItems": MAX_EFFECTS}


def _list_of(name: str) -> Schema:
    items = {"type": "array", "items": component(name)}
    following = {"type": "null", "description": "There are no pages yet."}
    return {
        "type": "object",
        "properties": {"items": items, "next": following},
        "required": ["items", "next"],
    }


def _without_default(schema: Mapping[str, Any]) -> Schema:
    return {key: value for key, value in schema.items() if key != "default"}


def _nullable(schema: Mapping[str, Any]) -> Schema:
    return {"anyOf": [_without_default(schema), {"type": "null"}]}


class _Generator(GenerateJsonSchema):
    """Takes descriptions from ``Attributes:`` of the docstrings; invents no titles."""

    def field_title_should_be_set(
        self,
        schema: Any,  # noqa: ARG002 # the hook is asked about each
    ) -> bool:
        return False

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return _described(super().dataclass_schema(schema), schema["cls"])

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _described(super().model_schema(schema), schema["cls"])


def _described(schema: JsonSchemaValue, cls: type) -> JsonSchemaValue:
    summary, _, attributes = cleandoc(cls.__doc__ or "").partition("\n\nAttributes:\n")
    schema.pop("title", None)
    schema["description"] = _line(summary.partition("\n\n")[0])
    pieces = _ATTRIBUTE.split(attributes)
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in schema.get("properties", {}):
            schema["properties"][name]["description"] = _line(text)
    return schema


def _line(text: str) -> str:
    return " ".join(text.split())
