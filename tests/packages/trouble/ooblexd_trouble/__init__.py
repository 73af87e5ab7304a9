"""Effects that do what no effect should, and kinds that are none."""

from ooblexd.effects import EffectKind

_BUILD = "ooblexd_trouble.effect:build"
_PARAMETERS = "ooblexd_trouble.parameters:TroubleParameters"

TROUBLE = EffectKind(
    "trouble", "Goes wrong.", _BUILD, _PARAMETERS, default_deadline_ms=200
)
PRIVATE = EffectKind(
    "trouble_private",
    "Goes wrong where privacy is at stake.",
    _BUILD,
    _PARAMETERS,
    is_privacy=True,
    default_deadline_ms=200,
)
BLUR = EffectKind("blur", "Takes a name that is taken.", _BUILD)
NO_KIND = "a text"
NO_MODEL = EffectKind(
    "no_model", "Has no parameters.", _BUILD, "ooblexd_trouble.nowhere:Parameters"
)
NO_BUILD = EffectKind("no_build", "Cannot be built.", "ooblexd_trouble.nowhere:build")
