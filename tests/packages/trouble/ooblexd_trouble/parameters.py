"""How it goes wrong."""

from typing import Literal

from pydantic import Field, field_validator

from ooblexd.effects.parameters import Parameters

How = Literal[
    "not",
    "raise",
    "exit",
    "slow",
    "sleep",
    "spin",
    "segfault",
    "engine",
    "quit",
    "memory",
    "descriptors",
]


class TroubleParameters(Parameters):
    """The keys beside ``effect``."""

    how: How = Field(default="not", description="What it does.")
    after: int = Field(default=0, ge=0, le=10_000, description="So many frames.")
    whitens: bool = Field(default=True, description="Whether the picture goes white.")
    told_by: str = Field(
        default="", description="A file: what it says is done, once, and it is removed."
    )
    notes: str = Field(
        default="", description="A file for the age of each frame at its call, in ns."
    )
    number: int = Field(default=0, description="One that its author does not like.")

    @field_validator("number")
    @classmethod
    def _like(cls, number: int) -> int:
        if number == 13:
            raise RuntimeError("thirteen")
        return number
