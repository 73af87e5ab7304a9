"""What a check finds: how bad it is, what is so, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(str, enum.Enum):
    """How bad a finding is, from good to bad."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found.

    Attributes:
        name: What was looked at, in a word or two.
        level: How bad it is.
        text: What is so.
        remedy: What to do about it; empty where there is nothing.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(name, Level.OK, text)


def warn(name: str, text: str, remedy: str) -> Finding:
    """Return a finding that costs something, but stops nothing."""
    return Finding(name, Level.WARN, text, remedy)


def fail(name: str, text: str, remedy: str) -> Finding:
    """Return a finding that something does not work for."""
    return Finding(name, Level.FAIL, text, remedy)
