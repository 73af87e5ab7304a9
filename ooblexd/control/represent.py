"""A stream's plan as the table that people write, and as the one they are shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ooblexd.pushes.url import mask_push
from ooblexd.redaction import mask_secrets

if TYPE_CHECKING:
    from ooblexd.plan import StreamPlan


def stream_table(plan: StreamPlan) -> dict[str, Any]:
    """Return every key of a stream with its secrets, effects as complete tables."""
    return {
        "source": plan.source,
        "publish_key": plan.publish_key,
        "input": asdict(plan.input),
        "enabled": plan.enabled,
        "transport": plan.transport,
        "audio": plan.audio,
        "max_fps": plan.max_fps,
        "rotate": plan.rotate,
        "flip": plan.flip,
        "crop": asdict(plan.crop),
        "max_age_ms": plan.max_age_ms,
        "jpeg_quality": plan.jpeg_quality,
        "effects": [
            {
                "effect": effect.effect,
                "mode": effect.mode,
                "on_failure": effect.on_failure,
                "deadline_ms": effect.deadline_ms,
                **effect.parameters,
            }
            for effect in plan.effects
        ],
        "push": [asdict(push) for push in plan.push],
    }


def public_table(plan: StreamPlan) -> dict[str, Any]:
    """Return what may be shown of a stream: every key, secrets masked."""
    push = [{**asdict(push), "url": mask_push(push.url)} for push in plan.push]
    return {**mask_secrets(stream_table(plan)), "push": push}
