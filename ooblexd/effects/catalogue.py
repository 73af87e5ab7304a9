"""Which effects there are and what may be said about them, without their code.

Everybody may load this: nothing here, nor anything it imports, loads numpy, OpenCV,
pydantic or an engine. A kind *names* the two things that are heavy, and whoever needs
one imports it: the configuration and the control API its parameters (a pydantic model),
an inference worker its ``build``. So no worker loads pydantic, and no reader of a
configuration loads OpenCV.

Effects of other packages are found by `ooblexd.effects.packages`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

MODES = ("every_frame", "tracked")
ON_FAILURE = ("cover", "hold", "pass")
LEAST_DEADLINE_MS, MOST_DEADLINE_MS = 10, 30_000
PIXELS = ("i420", "bgr")


@dataclass(frozen=True, slots=True)
class EffectKind:
    """One effect that a configuration can name.

    Attributes:
        name: As the configuration says it: ``^[a-z][a-z0-9_]{0,62}$``.
        summary: One sentence for people.
        build: ``module:function`` of what makes one, `ooblexd.effects.BuildEffect`;
            imported in the inference worker alone.
        parameters: ``module:class`` of its parameters, a subclass of
            `ooblexd.effects.parameters.Parameters`; never imported in a worker.
        is_privacy: Whether a frame without it must never be shown.
        guards: What it keeps from view, where others with the same parameters keep the
            same from view as well: one may follow another without a cover. Empty: only
            the effect itself is as good.
        runs_unwatched: Whether it works while nobody looks: it counts, or alerts.
        pixels: What it works on: ``i420`` (`ooblexd.effects.Effect`) or ``bgr``
            (`ooblexd.effects.BgrEffect`).
        default_mode: One of `MODES`.
        default_deadline_ms: How long it may take for a frame before the frame counts as
            failed, in milliseconds. Generous: it is there for what has gone wrong.
        needs_detail: It looks for something in the picture, so no effect that
            `hides_detail` may stand before it.
        hides_detail: What it leaves cannot be analysed any more.
    """

    name: str
    summary: str
    build: str
    parameters: str = "ooblexd.effects.parameters:NoParameters"
    is_privacy: bool = False
    guards: str = ""
    runs_unwatched: bool = False
    pixels: str = "i420"
    default_mode: str = "every_frame"
    default_deadline_ms: int = 1000
    needs_detail: bool = False
    hides_detail: bool = False

    @property
    def default_on_failure(self) -> str:
        """One of `ON_FAILURE`; never ``pass`` where privacy is at stake."""
        return "cover" if self.is_privacy else "pass"


def named_object(reference: str) -> Any:
    """Import and return what ``module:name`` names.

    Raises:
        ImportError: There is no such module; whatever else its import raises.
        AttributeError: There is no such name in it.
    """
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


_FACES_DEADLINE_MS = 4000  # a network on a slow box, asked for the highest detail

EFFECTS: dict[str, EffectKind] = {
    kind.name: kind
    for kind in (
        EffectKind(
            name="blur_faces",
            summary="Covers every face by a soft, irreversible blur.",
            build="ooblexd.effects.faces:build",
            parameters="ooblexd.effects.parameters:FacesParameters",
            is_privacy=True,
            guards="faces",
            default_deadline_ms=_FACES_DEADLINE_MS,
            needs_detail=True,
        ),
        EffectKind(
            name="pixelate_faces",
            summary="Covers every face by large square cells.",
            build="ooblexd.effects.faces:build",
            parameters="ooblexd.effects.parameters:FacesParameters",
            is_privacy=True,
            guards="faces",
            default_deadline_ms=_FACES_DEADLINE_MS,
            needs_detail=True,
        ),
        EffectKind(
            name="privacy_zone",
            summary="Covers parts of the picture, always.",
            build="ooblexd.effects.privacy_zone:build",
            parameters="ooblexd.effects.parameters:PrivacyZoneParameters",
            is_privacy=True,
        ),
        EffectKind(
            name="blur",
            summary="Blurs the whole picture.",
            build="ooblexd.effects.blur:build",
            parameters="ooblexd.effects.parameters:BlurParameters",
            is_privacy=True,  # whoever blurs everything does not want it seen sharp
            hides_detail=True,
        ),
        EffectKind(
            name="grayscale",
            summary="Takes the colours away.",
            build="ooblexd.effects.grayscale:build",
        ),
        EffectKind(
            name="edges",
            summary="Draws the outlines of what is there.",
            build="ooblexd.effects.edges:build",
            parameters="ooblexd.effects.parameters:EdgesParameters",
            hides_detail=True,
        ),
        EffectKind(
            name="overlay",
            summary="Writes the time, the stream's name, its frame rate or any text.",
            build="ooblexd.effects.overlay:build",
            parameters="ooblexd.effects.parameters:OverlayParameters",
        ),
        EffectKind(
            name="none",
            summary="Shows the picture as it is.",
            build="ooblexd.effects.nothing:build",
        ),
    )
}
"""Every effect of ours, by name."""
