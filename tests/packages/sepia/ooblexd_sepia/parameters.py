"""What ``sepia`` may be told."""

from pydantic import Field

from ooblexd.effects.parameters import Parameters


class SepiaParameters(Parameters):
    """The keys beside ``effect``."""

    tone: float = Field(default=0.8, ge=0, le=1, description="How brown it becomes.")
