"""Shared memory of a ring: the only file that names, creates, maps and unlinks it.

A segment has a name for the microseconds between its creation and its unlinking, while
it is still empty; from then on it is a descriptor, handed from process to process, and
goes when the last of them goes. Nothing is left behind, whoever is killed.

Mappings are made by ``mmap(2)`` itself and not by Python's ``mmap``: that one keeps a
duplicate of the descriptor, and closing it in a forked child that has closed all
descriptors would close somebody else's. A mapping is undone when the last view of it is
gone, so that a picture still in somebody's hands never turns into a crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import secrets
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import posix_ipc

from ooblexd.errors import RingError, SharedMemoryFullError
from ooblexd.ring.control import RingControl
from ooblexd.ring.reader import RingReader
from ooblexd.ring.spec import (
    FIRST_AT,
    HISTORY_AT,
    LATEST_AT,
    MAGIC,
    MAGIC_AT,
    READERS_AT,
    SLOT_BYTES_AT,
    SLOTS_AT,
    VERSION,
    VERSION_AT,
    RingSpec,
    pack_latest,
)
from ooblexd.ring.words import MappedWords
from ooblexd.ring.writer import RingWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


@dataclass
class Segment:
    """The shared memory of one ring.

    Attributes:
        fd: Its descriptor; ``close`` closes it, and no mapping needs it any more.
        spec: What the ring was made with.
    """

    fd: int
    spec: RingSpec

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def create_segment(spec: RingSpec, first_sequence: int = 0) -> Segment:
    """Reserve the memory of a ring, all of it, and make the ring empty.

    Args:
        spec: The ring's size.
        first_sequence: The number before that of the first frame: the last one of the
            segment that this one replaces.

    Returns:
        The segment, without a name; its descriptor closes at exec.

    Raises:
        SharedMemoryFullError: There is less shared memory than ``spec.total_bytes``.
        OSError: None can be made at all: a file system that is read-only, or not ours.
    """
    fd = _create_unnamed()
    try:
        _reserve(fd, spec.total_bytes)
        _format(fd, spec, first_sequence)
    except BaseException:
        os.close(fd)
        raise
    return Segment(fd, spec)


def map_control(segment: Segment) -> RingControl:
    """Map the control page of ``segment``, and no slot.

    Raises:
        RingError: The segment is not a ring of ``segment.spec``.
    """
    return RingControl(segment.spec, _open_words(segment.fd, segment.spec))


def open_writer(
    fd: int, spec: RingSpec, wake_fds: Sequence[int], generation: int
) -> RingWriter:
    """Map a ring to write it.

    Args:
        fd: The segment; the caller's, who may close it afterwards.
        spec: What the ring was made with.
        wake_fds: One non-blocking eventfd a reader, by place; the caller's, open for as
            long as the writer is.
        generation: Which life of the writer this is.

    Raises:
        RingError: The segment is not a ring of ``spec``.
    """
    words = _open_words(fd, spec)
    slots = _slots(_map(fd, spec, _READ_WRITE), spec)
    return RingWriter(spec, words, slots, _wake_by(wake_fds), generation)


def open_reader(fd: int, spec: RingSpec, place: int, wake_fd: int) -> RingReader:
    """Map a ring to read it: the control page for writing, the slots read-only.

    Args:
        fd: The segment; the caller's, who may close it afterwards.
        spec: What the ring was made with.
        place: This reader's, from 0; no living process may use the same one.
        wake_fd: The place's eventfd, non-blocking; the caller's.

    Raises:
        RingError: The segment is not a ring of ``spec``.
        ValueError: The ring has no such place.
    """
    if not 0 <= place < spec.readers:
        raise ValueError(f"place {place} of {spec.readers}")
    words = _open_words(fd, spec)
    view = _map(fd, spec, mmap.PROT_READ).toreadonly()
    return RingReader(spec, words, _slots(view, spec), place, wake_fd)


def _create_unnamed() -> int:
    name = f"/ooblexd-{secrets.token_hex(8)}"
    try:
        segment = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, mode=0o600)
    except posix_ipc.Error as exc:  # it has a class of its own for EACCES
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from exc
    segment.unlink()
    return int(segment.fd)


def _reserve(fd: int, needed_bytes: int) -> None:
    """Allocate every page now: a page that is missing later is a bus error."""
    file_system = os.fstatvfs(fd)
    free_bytes = file_system.f_bavail * file_system.f_frsize
    if file_system.f_blocks and needed_bytes > free_bytes:
        raise SharedMemoryFullError(needed_bytes, free_bytes)
    try:
        os.posix_fallocate(fd, 0, needed_bytes)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG):
            raise SharedMemoryFullError(needed_bytes, free_bytes) from exc
        raise RingError(f"shared memory: {exc.strerror}") from exc


def _format(fd: int, spec: RingSpec, first_sequence: int) -> None:
    words = _map_words(fd, spec)
    for offset, value in _constants(spec).items():
        words.store(offset, value)
    words.store(FIRST_AT, first_sequence)
    words.store(LATEST_AT, pack_latest(first_sequence, 0))
    words.close()


def _constants(spec: RingSpec) -> dict[int, int]:
    return {
        MAGIC_AT: MAGIC,
        VERSION_AT: VERSION,
        SLOTS_AT: spec.slots,
        SLOT_BYTES_AT: spec.slot_bytes,
        READERS_AT: spec.readers,
        HISTORY_AT: spec.history,
    }


def _open_words(fd: int, spec: RingSpec) -> MappedWords:
    found_bytes = os.fstat(fd).st_size
    if found_bytes != spec.total_bytes:
        raise RingError(f"segment of {found_bytes} bytes, ring of {spec.total_bytes}")
    words = _map_words(fd, spec)
    for offset, expected in _constants(spec).items():
        found = words.load(offset)
        if found != expected:
            words.close()
            raise RingError(f"word {offset} is {found:#x}, expected {expected:#x}")
    return words


def _map_words(fd: int, spec: RingSpec) -> MappedWords:
    address = _mmap(fd, 0, spec.control_bytes, _READ_WRITE)
    page = _Unmap(address, spec.control_bytes)
    return MappedWords(address, page)


class _Unmap:
    """Undo a mapping, once."""

    def __init__(self, address: int, n_bytes: int) -> None:
        self._finalizer = weakref.finalize(
            self, _libc.munmap, ctypes.c_void_p(address), n_bytes
        )
        self._finalizer.atexit = False

    def __call__(self) -> None:
        self._finalizer()


def _map(fd: int, spec: RingSpec, protection: int) -> memoryview:
    """Map all slots, present in memory and locked there if that is allowed."""
    n_bytes = spec.slots * spec.slot_stride_bytes
    address = _mmap(fd, spec.control_bytes, n_bytes, protection)
    _libc.mlock(address, n_bytes)  # beyond RLIMIT_MEMLOCK it fails, and may
    pixels = (ctypes.c_ubyte * n_bytes).from_address(address)
    weakref.finalize(
        pixels, _libc.munmap, ctypes.c_void_p(address), n_bytes
    ).atexit = False
    return memoryview(pixels).cast("B")


def _mmap(fd: int, offset: int, n_bytes: int, protection: int) -> int:
    # A page fault of the first touch would cost 5 ms a frame: populate at once.
    flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
    address = _libc.mmap(None, n_bytes, protection, flags, fd, offset)
    if address == _FAILED:
        raise RingError(f"mmap: {os.strerror(ctypes.get_errno())}")
    return int(address)


def _slots(view: memoryview, spec: RingSpec) -> tuple[memoryview, ...]:
    starts = range(0, len(view), spec.slot_stride_bytes)
    return tuple(view[start : start + spec.slot_bytes] for start in starts)


def _wake_by(wake_fds: Sequence[int]) -> Callable[[int], None]:
    def wake(place: int) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is woken already
            os.eventfd_write(wake_fds[place], 1)

    return wake
