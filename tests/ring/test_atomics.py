from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

import pytest

from ooblexd.ring.atomics import Atomics, extension, libatomic, pick_atomics

if TYPE_CHECKING:
    from collections.abc import Callable

WORD = 2**64 - 1


def compiled() -> Atomics:
    found = extension()
    if found is None:
        pytest.skip("ooblexd was installed without a C compiler (apt: gcc)")
    return found


def by_ctypes() -> Atomics:
    found = libatomic()
    if found is None:
        pytest.skip("libatomic is not installed (apt: libatomic1)")
    return found


@pytest.mark.parametrize("make", [compiled, by_ctypes])
class TestAtomics:
    def test_a_word_is_stored_and_loaded_whole(
        self, make: Callable[[], Atomics]
    ) -> None:
        atomics = make()
        words = (ctypes.c_uint64 * 3)(1, 2, 3)
        address = ctypes.addressof(words) + 8

        assert atomics.load(address) == 2
        atomics.store(address, WORD)
        atomics.fence()

        assert list(words) == [1, WORD, 3]
        assert atomics.load(address) == WORD

    def test_a_word_is_replaced_only_if_it_is_as_expected(
        self, make: Callable[[], Atomics]
    ) -> None:
        atomics = make()
        words = (ctypes.c_uint64 * 1)(WORD)
        address = ctypes.addressof(words)

        assert atomics.cas(address, WORD, 7) is True
        assert atomics.cas(address, WORD, 8) is False
        assert words[0] == 7


def test_an_address_that_is_no_word_is_refused() -> None:
    atomics = compiled()

    with pytest.raises(ValueError, match="aligned word"):
        atomics.load(12)
    with pytest.raises(ValueError, match="aligned word"):
        atomics.store(0, 1)
    with pytest.raises(OverflowError):
        atomics.load(-8)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal since 3.12")
def test_no_call_takes_a_reference_to_none_from_the_others() -> None:
    atomics = compiled()
    word = ctypes.c_uint64()
    before = sys.getrefcount(None)

    for _ in range(1000):
        atomics.store(ctypes.addressof(word), 1)
        atomics.fence()

    assert abs(sys.getrefcount(None) - before) < 100


def test_the_extension_is_preferred() -> None:
    assert pick_atomics().name == compiled().name == "C extension"
