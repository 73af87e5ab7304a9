"""What the compiler makes of the ring's atomics for ARM; ``tools/arm`` runs them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.cross import (
    COMPILER,
    build_extension,
    instructions_of,
    missing_symbols,
)

if TYPE_CHECKING:
    from pathlib import Path

EXCLUSIVES = {"ldaxr", "stlxr"}
# GCC's own function, in the library itself, which asks the processor first.
HELPER = "__aarch64_cas8_acq_rel"


class Built(NamedTuple):
    """The extension, and its instructions by function."""

    library: Path
    functions: dict[str, list[str]]

    def names_in(self, function: str) -> list[str]:
        return [line.split()[0] for line in self.functions[function]]


@pytest.fixture(
    params=["", "-mno-outline-atomics", "-march=armv8.1-a"],
    ids=["as installed", "ARMv8.0", "ARMv8.1"],
)
def built(request: pytest.FixtureRequest, tmp_path: Path) -> Built:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is missing (apt: gcc-aarch64-linux-gnu)")
    library = tmp_path / "_atomics.so"
    build_extension(library, *request.param.split())
    return Built(library, instructions_of(library))


def test_a_load_acquires_and_a_store_releases(built: Built) -> None:
    assert [line for line in built.functions["load"] if line.startswith("ldar x")]
    assert [line for line in built.functions["store"] if line.startswith("stlr x")]


def test_the_fence_orders_loads_and_stores(built: Built) -> None:
    barriers = [line for line in built.functions["fence"] if line.startswith("dmb")]

    assert barriers == ["dmb ish"]


def test_the_exchange_acquires_and_releases(built: Built) -> None:
    if HELPER in built.functions:
        assert [line for line in built.functions["cas"] if HELPER in line]
        names = set(built.names_in(HELPER))
        assert {"casal", *EXCLUSIVES} <= names
    else:
        names = set(built.names_in("cas"))
        assert "casal" in names or names >= EXCLUSIVES
    plain = {"cas", "casa", "casl", "ldxr", "stxr"}
    assert not plain & names


def test_no_function_for_atomics_is_left_to_other_libraries(built: Built) -> None:
    foreign = [
        name
        for name in missing_symbols(built.library)
        if name.startswith(("__aarch64", "__atomic", "__sync"))
    ]

    assert foreign == []
    for name in ("load", "store", "fence"):
        assert not [line for line in built.functions[name] if "__aarch64" in line]
