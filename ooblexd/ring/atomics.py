"""Atomic operations on 64-bit words of shared memory: whichever this machine has.

The C extension ``_atomics`` is built with the package (40 ns an operation). Where the
package was installed without a compiler, libatomic, GCC's runtime library, does the
same by ctypes (300 ns). There is no third way: plain loads and stores of Python order
nothing on ARM, and on x86 they lack the full fence that ``spec.py`` needs.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, NamedTuple, cast

from ooblexd.errors import RingError

if TYPE_CHECKING:
    from collections.abc import Callable

# enum memory_order of C11, as libatomic's functions take it.
_ACQUIRE, _RELEASE, _ACQ_REL, _SEQ_CST = 2, 3, 4, 5


class Atomics(NamedTuple):
    """One implementation; each word is named by its address, a multiple of 8.

    Attributes:
        name: For people, as ``doctor`` prints it.
        load: Returns the word at an address; nothing after it happens before it.
        store: Writes a word at an address; nothing before it happens after it.
        cas: Replaces the word at an address if it is as expected (second argument) by
            the third, and returns whether it did.
        fence: Orders every load and store before it against every one after it.
    """

    name: str
    load: Callable[[int], int]
    store: Callable[[int, int], None]
    cas: Callable[[int, int, int], bool]
    fence: Callable[[], None]


@functools.cache
def pick_atomics() -> Atomics:
    """Return the best implementation that this machine has.

    Raises:
        RingError: There is none; the message says what to install.
    """
    for implementation in (extension, libatomic):
        found = implementation()
        if found is not None:
            return found
    raise RingError(
        "no atomic operations: install libatomic1 (apt install libatomic1), or a C "
        "compiler and reinstall ooblexd"
    )


def extension() -> Atomics | None:
    """Return the compiled extension, if it was built."""
    try:
        from ooblexd.ring import _atomics  # noqa: PLC0415  # it may not be there
    except ImportError:
        return None
    return Atomics(
        "C extension", _atomics.load, _atomics.store, _atomics.cas, _atomics.fence
    )


def libatomic() -> Atomics | None:
    """Return libatomic by ctypes, if it is installed."""
    try:
        # PyDLL keeps the interpreter lock: releasing it costs more than the call.
        library = ctypes.PyDLL("libatomic.so.1")
    except OSError:
        return None
    word_load = _declare(
        library, "__atomic_load_8", ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int
    )
    word_store = _declare(
        library,
        "__atomic_store_8",
        None,
        ctypes.c_void_p,
        ctypes.c_uint64,
        ctypes.c_int,
    )
    word_cas = _declare(
        library,
        "__atomic_compare_exchange_8",
        ctypes.c_bool,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_uint64),
        ctypes.c_uint64,
        ctypes.c_int,
        ctypes.c_int,
    )
    thread_fence = _declare(library, "atomic_thread_fence", None, ctypes.c_int)

    def load(address: int) -> int:
        return cast("int", word_load(address, _ACQUIRE))

    def store(address: int, value: int) -> None:
        word_store(address, value, _RELEASE)

    def cas(address: int, expected: int, value: int) -> bool:
        found = ctypes.byref(ctypes.c_uint64(expected))
        return bool(word_cas(address, found, value, _ACQ_REL, _ACQUIRE))

    def fence() -> None:
        thread_fence(_SEQ_CST)

    return Atomics("libatomic by ctypes", load, store, cas, fence)


def _declare(
    library: ctypes.PyDLL, name: str, result: object, *arguments: object
) -> Callable[..., object]:
    function = library[name]
    function.restype = result  # type: ignore[assignment]  # ctypes' stubs want a union
    function.argtypes = arguments  # type: ignore[assignment]  # likewise
    return function
