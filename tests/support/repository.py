"""The repository itself, read by the tests of what the project claims."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import ooblexd

PACKAGE = Path(ooblexd.__file__).parent
ROOT = PACKAGE.parent


@functools.cache
def module_names() -> tuple[str, ...]:
    """Return every module of the package, ``frame`` and ``ring.writer`` alike."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names.append(".".join(part for part in parts if part != "__init__"))
    return tuple(name for name in names if name)


def source_of(module: str) -> ast.Module:
    """Return the syntax tree of ``ring.writer`` or of a package's ``__init__``."""
    path = PACKAGE.joinpath(*module.split("."))
    file = path.with_suffix(".py")
    return ast.parse((file if file.exists() else path / "__init__.py").read_text())


def imports_of(module: str) -> set[str]:
    """Return the full name of every module that ``module`` imports when it runs.

    Names imported from a package count as modules where they are some; what only type
    checkers import does not count.
    """
    found: set[str] = set()
    for node in _running(source_of(module)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(_from(node.module, node.names))
    return found


def _from(package: str, aliases: list[ast.alias]) -> set[str]:
    names = {f"{package}.{alias.name}" for alias in aliases}
    ours = {f"ooblexd.{name}" for name in module_names()}
    return {name if name in ours else package for name in names}


def _running(tree: ast.AST) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            continue
        nodes += [node, *_running(node)]
    return nodes


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
