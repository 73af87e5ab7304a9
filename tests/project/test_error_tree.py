"""The tree in the docstring of `ooblexd.errors` is the tree of its classes."""

from __future__ import annotations

import builtins
import inspect
import re

from ooblexd import errors

_LINE = re.compile(r"^    ([│├└─ ]*)(\w+)(.*)$", re.MULTILINE)
_INDENT = 4


def drawn() -> dict[str, tuple[str | None, set[str]]]:
    """Return each error of the docstring with its parent and its built-in."""
    tree: dict[str, tuple[str | None, set[str]]] = {}
    way: list[str] = []
    for marks, name, rest in _LINE.findall(errors.__doc__ or ""):
        depth = len(marks) // _INDENT
        way[depth:] = [name]
        parent = way[depth - 1] if depth else None
        tree[name] = (parent, set(re.findall(r"\((\w+Error)\)", rest)))
    return tree


def real() -> dict[str, tuple[str | None, set[str]]]:
    """Return the same of the classes."""
    tree: dict[str, tuple[str | None, set[str]]] = {}
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if not issubclass(kind, errors.OoblexdError):
            continue
        names = [base.__name__ for base in kind.__bases__]
        ours = [base for base in names if hasattr(errors, base)]
        also = {base for base in names if hasattr(builtins, base)} - {"Exception"}
        tree[name] = (ours[0] if ours else None, also)
    return tree


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    assert drawn() == real()


def test_every_error_says_what_it_means() -> None:
    kinds = [getattr(errors, name) for name in real()]

    assert all(kind.__doc__ for kind in kinds)
