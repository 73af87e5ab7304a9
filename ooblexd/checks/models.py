"""The models that the package ships: whether each is the one of the manifest."""

from __future__ import annotations

from ooblexd.checks import Finding, fail, ok
from ooblexd.engines.model import bundled_models
from ooblexd.errors import EngineError

_AGAIN = "install ooblexd again"


def check_models() -> list[Finding]:
    """Compare the digest of each file with the manifest's."""
    try:
        models = bundled_models()
    except EngineError as error:
        return [_broken(error)]
    broken = []
    sizes = {}
    for name, model in models.items():
        try:
            sizes[name] = len(model.read())
        except EngineError as error:
            broken.append(_broken(error))
    names = ", ".join(f"{name} ({size >> 10} KiB)" for name, size in sizes.items())
    return broken or [ok("models", f"as the manifest says: {names}")]


def _broken(error: EngineError) -> Finding:
    text = str(error).removesuffix(_AGAIN).rstrip(":; ")
    return fail("models", text, _AGAIN)
