"""The ring's code with one line changed, to see that the explorer notices."""

from __future__ import annotations

import linecache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ooblexd.ring import reader as reader_module
from ooblexd.ring import writer as writer_module
from tests.ring.scenarios import Code


def change_reader(old: str, new: str) -> Code:
    """Return the ring with ``old``, which ``reader.py`` has once, replaced."""
    return Code(reader=cast("Any", _changed(reader_module, old, new)).RingReader)


def change_writer(old: str, new: str) -> Code:
    """Return the ring with ``old``, which ``writer.py`` has once, replaced."""
    return Code(writer=cast("Any", _changed(writer_module, old, new)).RingWriter)


def weaken(label: str) -> Code:
    """Return the ring whose operation ``label`` orders nothing."""
    return Code(weakened=frozenset([label]))


def drop(label: str) -> Code:
    """Return the ring without its operation ``label``."""
    return Code(dropped=frozenset([label]))


def _changed(original: ModuleType, old: str, new: str) -> ModuleType:
    assert original.__file__ is not None
    source = Path(original.__file__).read_text()
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times"
    source = source.replace(old, new)
    changed = ModuleType(original.__name__)
    name = f"<{original.__name__}: {new}>"
    # The explorer reads the labels of the lines that run.
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), changed.__dict__)  # noqa: S102  # our own code
    return changed
