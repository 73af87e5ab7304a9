"""Effects of other packages: found by the entry point group ``ooblexd.effects``.

An entry point has the effect's name and leads to an `EffectKind`. Its module is loaded
by whoever lists the effects or meets a name that is not ours, so it must be light; what
is heavy stands behind the kind's ``build``. Nothing that such a package does while it
is found ends the process: what cannot be used is kept with the reason.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from ooblexd.effects.catalogue import (
    EFFECTS,
    LEAST_DEADLINE_MS,
    MODES,
    MOST_DEADLINE_MS,
    PIXELS,
    EffectKind,
)
from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

GROUP = "ooblexd.effects"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An effect of another package that cannot be used.

    Attributes:
        name: That its entry point has.
        package: Which brings it, with its version.
        reason: What stands against it.
    """

    name: str
    package: str
    reason: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What the other packages of this environment bring.

    Attributes:
        kinds: Which can be used, by name.
        packages: Which package brings each of them, with its version.
        unavailable: Which cannot.
    """

    kinds: dict[str, EffectKind] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    unavailable: tuple[Unavailable, ...] = ()


@functools.cache
def installed_effects() -> Installed:
    """Find and load them, once a process: what is installed later needs a restart."""
    return load_effects(entry_points(group=GROUP))


def load_effects(points: Iterable[EntryPoint]) -> Installed:
    """Return what ``points`` lead to; whatever one raises makes it unavailable."""
    points = sorted(points, key=lambda point: (point.name, _package_of(point)))
    times = Counter(point.name for point in points)
    found = Installed()
    unavailable = []
    for point in points:
        package = _package_of(point)
        kind, reason = None, _refusal(point.name, times[point.name])
        if not reason:
            kind, reason = _loaded(point)
        if kind is None:
            unavailable.append(Unavailable(point.name, package, reason))
        else:
            found.kinds[point.name] = kind
            found.packages[point.name] = package
    return Installed(found.kinds, found.packages, tuple(unavailable))


def all_effects() -> dict[str, EffectKind]:
    """Return every effect that can be used, ours first."""
    return {**EFFECTS, **installed_effects().kinds}


def effect_kind(name: str) -> EffectKind:
    """Return the effect of that name; where it is not ours, other packages are asked.

    Raises:
        ConfigError: There is none, or it cannot be used; the message says why.
    """
    if name in EFFECTS:
        return EFFECTS[name]
    found = installed_effects()
    if name in found.kinds:
        return found.kinds[name]
    for one in found.unavailable:
        if one.name == name:
            said = f"effect {name!r} of {one.package} cannot be used: {one.reason}"
            raise ConfigError([said])
    known = all_effects()
    near = difflib.get_close_matches(name, known, 1)
    question = f", did you mean `{near[0]}`?" if near else ""
    raise ConfigError(
        [f"effect {name!r}: unknown{question} (there are {', '.join(known)})"]
    )


def _refusal(name: str, times: int) -> str:
    if name in EFFECTS:
        return f"ooblexd has an effect {name!r} of its own; the package must rename its"
    if times > 1:
        return f"{times} packages bring an effect {name!r}; all but one must go"
    if not _NAME.fullmatch(name):
        return "not an effect's name, allowed are a-z, 0-9 and _, the first a letter"
    return ""


def _loaded(point: EntryPoint) -> tuple[EffectKind | None, str]:
    """Load what an entry point leads to; None and the reason if it cannot be used."""
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 # anybody's code: told, not ours to end by
        return None, f"{type(error).__name__}: {error}"
    if not isinstance(kind, EffectKind):
        return None, f"{point.value} is no ooblexd.effects.EffectKind"
    reason = _flaw(kind, point.name)
    return (None, reason) if reason else (kind, "")


def _flaw(kind: EffectKind, name: str) -> str:
    """Say what is wrong with a kind, or nothing."""
    if kind.name != name:
        return f"its entry point is called {name!r} and its kind {kind.name!r}"
    if kind.pixels not in PIXELS:
        return f"pixels = {kind.pixels!r}, allowed {' or '.join(PIXELS)}"
    if kind.default_mode not in MODES:
        return f"default_mode = {kind.default_mode!r}, allowed {' or '.join(MODES)}"
    if not LEAST_DEADLINE_MS <= kind.default_deadline_ms <= MOST_DEADLINE_MS:
        limits = f"{LEAST_DEADLINE_MS} to {MOST_DEADLINE_MS}"
        return f"default_deadline_ms = {kind.default_deadline_ms}, allowed {limits}"
    for key in ("build", "parameters"):
        reference = getattr(kind, key)
        if not (isinstance(reference, str) and _REFERENCE.fullmatch(reference)):
            return f"{key} = {reference!r}, must be 'module:name'"
    return ""


def _package_of(point: EntryPoint) -> str:
    if point.dist is None:
        return "a package without a name"
    return f"{point.dist.name} {point.dist.version}"
