"""How it goes wrong."""

from typing import Literal

from pydantic import Field, field_validator

from ooblexd.effects.parameters import Parameters


class TroubleParameters(Parameters):
    """The keys beside ``effect``."""

    how: Literal[
        "not", "raise", "exit", "slow", "sleep", "spin", "segfault", "quit"
    ] = Field(default="not", description="What it does.")
    after: int = Field(default=0, ge=0, le=10_000, description="So many frames.")
    number: int = Field(default=0, description="One that its author does not like.")

    @field_validator("number")
    @classmethod
    def _like(cls, number: int) -> int:
        if number == 13:
            raise RuntimeError("thirteen")
        return number
