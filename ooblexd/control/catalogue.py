"""``GET /api/v1/effects`` and ``/api/v1/engines``: what there is to choose from."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from ooblexd.control.answers import EffectKindReport, EngineReport
from ooblexd.effects.catalogue import EFFECTS, MODES, ON_FAILURE
from ooblexd.engines import ENGINES

if TYPE_CHECKING:
    from ooblexd.effects.catalogue import EffectKind

_LIBRARIES = {"onnx-cpu": "onnxruntime"}


def list_effects() -> list[EffectKindReport]:
    """Return every effect; ``schema`` is of an element of a stream's ``effects``."""
    return [
        EffectKindReport(kind.name, kind.summary, kind.is_privacy, _schema(kind))
        for kind in EFFECTS.values()
    ]


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
    own = {
        "effect": {"const": kind.name},
        "mode": {"enum": list(MODES), "default": kind.default_mode},
        "on_failure": {"enum": list(ON_FAILURE), "default": kind.default_on_failure},
    }
    schema = kind.schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "properties": {**own, **schema["properties"]},
        "required": ["effect"],
    }


def _missing(engine: str) -> str:
    library = _LIBRARIES[engine]
    if importlib.util.find_spec(library) is None:
        return f"the library {library} is not installed"
    return ""
