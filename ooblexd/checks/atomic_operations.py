"""The atomic operations of the ring: which implementation this box has."""

from __future__ import annotations

import ctypes

from ooblexd.checks import Finding, fail, ok
from ooblexd.errors import RingError
from ooblexd.ring.atomics import pick_atomics


def check_atomics() -> list[Finding]:
    """Use each operation once, on a word of our own."""
    try:
        atomics = pick_atomics()
    except RingError as error:
        text, _, remedy = str(error).partition(": ")
        return [fail("atomics", text, remedy)]
    word = (ctypes.c_uint64 * 1)()
    address = ctypes.addressof(word)
    atomics.store(address, 1)
    atomics.fence()
    if not atomics.cas(address, 1, 2) or atomics.load(address) != 2:  # noqa: PLR2004 # as swapped
        remedy = "install ooblexd again, from a wheel made for this machine"
        return [fail("atomics", f"{atomics.name} does not work", remedy)]
    return [ok("atomics", atomics.name)]
