"""``GET /api/v1/effects`` and ``/api/v1/engines``: what there is to choose from."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from ooblexd.control.answers import EffectKindReport, EngineReport
from ooblexd.effects.catalogue import (
    LEAST_DEADLINE_MS,
    MODES,
    MOST_DEADLINE_MS,
    ON_FAILURE,
)
from ooblexd.effects.packages import all_effects, installed_effects
from ooblexd.engines import ENGINES
from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from ooblexd.effects.catalogue import EffectKind

_LIBRARIES = {"onnx-cpu": "onnxruntime"}


def list_effects() -> list[EffectKindReport]:
    """Return every effect, ours and those of other packages.

    ``schema`` is of an element of a stream's ``effects``, and empty where the effect
    cannot be used. Blocks: the first call loads the models of the parameters, and
    other packages.
    """
    found = installed_effects()
    usable = [
        _report(kind, found.packages.get(name, ""))
        for name, kind in all_effects().items()
    ]
    return usable + [
        EffectKindReport(
            effect=one.name,
            summary="",
            is_privacy=False,
            schema={},
            package=one.package,
            is_available=False,
            reason=one.reason,
        )
        for one in found.unavailable
    ]


def _report(kind: EffectKind, package: str) -> EffectKindReport:
    reason, schema = "", {}
    try:
        schema = _schema(kind)
    except ConfigError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 # of another package's model
        reason = f"its parameters have no schema: {type(error).__name__}: {error}"
    return EffectKindReport(
        effect=kind.name,
        summary=kind.summary,
        is_privacy=kind.is_privacy,
        schema=schema,
        package=package,
        is_available=not reason,
        reason=reason,
    )


def list_engines(configured: str) -> list[EngineReport]:
    """Return every engine and whether this box can run it.

    Args:
        configured: What the configuration says, ``auto`` or a name.
    """
    # The models of the configuration are loaded while control already serves.
    from ooblexd.config.schema import InferenceConfig  # noqa: PLC0415 # heavy

    names = [name for name in ENGINES if name != "auto"]
    available = [name for name in names if not _missing(name)]
    chosen = configured if configured != "auto" else next(iter(available), "")
    return [
        EngineReport(
            engine=name,
            is_available=name in available,
            is_chosen=name == chosen,
            reason=_missing(name),
            schema=InferenceConfig.model_json_schema(),
        )
        for name in names
    ]


def _schema(kind: EffectKind) -> dict[str, Any]:
    # The models of the configuration are loaded while control already serves.
    from ooblexd.config.effects import parameters_model  # noqa: PLC0415 # heavy

    own = {
        "effect": {"const": kind.name},
        "mode": {"enum": list(MODES), "default": kind.default_mode},
        "on_failure": {"enum": list(ON_FAILURE), "default": kind.default_on_failure},
        "deadline_ms": {
            "type": "integer",
            "minimum": LEAST_DEADLINE_MS,
            "maximum": MOST_DEADLINE_MS,
            "default": kind.default_deadline_ms,
        },
    }
    schema = parameters_model(kind).model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": kind.name,
        "description": kind.summary,
        "properties": {**own, **schema.get("properties", {})},
        "required": ["effect", *schema.get("required", [])],
    }


def _missing(engine: str) -> str:
    library = _LIBRARIES[engine]
    if importlib.util.find_spec(library) is None:
        return f"the library {library} is not installed"
    return ""
