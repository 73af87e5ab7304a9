"""The docstring of the package is a map, and the map is true."""

from __future__ import annotations

import re

import ooblexd
from tests.support.repository import PACKAGE, module_names

READING_ORDER = (
    (ooblexd.__doc__ or "").partition("Reading order:")[2].partition("Words:")[0]
)
NAMED = frozenset(re.findall(r"`([a-z_.]+)`", READING_ORDER))
# Data with an importable name, and what is the same in every package.
NOT_ON_THE_MAP = {"models", "__main__", "_version"}


def is_public(module: str) -> bool:
    return not any(part.startswith("_") for part in module.split("."))


def test_each_module_of_the_reading_order_exists() -> None:
    assert set(module_names()) >= NAMED


def test_each_module_is_on_the_map_or_in_a_package_that_is() -> None:
    modules = [module for module in module_names() if is_public(module)]

    missing = [
        module
        for module in modules
        if module not in NAMED | NOT_ON_THE_MAP and module.split(".")[0] not in NAMED
    ]

    assert not missing


def test_each_package_says_in_one_sentence_what_it_is_for() -> None:
    for init in PACKAGE.rglob("__init__.py"):
        first = init.read_text().splitlines()[0]
        assert first.startswith('"""'), init
        assert first.rstrip('"').endswith((".", ":", ",")), f"{init}: {first}"
