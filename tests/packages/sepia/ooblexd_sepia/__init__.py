"""An effect for ooblexd that makes pictures look old."""

from ooblexd.effects import EffectKind

KIND = EffectKind(
    name="sepia",
    summary="Makes the picture look like an old photograph.",
    build="ooblexd_sepia.sepia:build",
    parameters="ooblexd_sepia.parameters:SepiaParameters",
    pixels="bgr",
)
