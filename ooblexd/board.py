"""The board: one shared memory of 4 KiB pages, each with one writing process.

Counters, heartbeats and states must survive the workers that write them and be
readable without asking anybody. So the supervisor maps one anonymous shared memory
before it forks, and each worker inherits it: there is no name and no descriptor, and
nothing to leak. It holds no pixel.

Every word is 64 bits, aligned, and written by one process with a single store, which
neither x86-64 nor aarch64 tears. Nothing is ordered by these words: what must be
ordered is the ring's business. Text carries a checksum, so a reader that meets it
half-written reads again.
"""

from __future__ import annotations

import mmap
import zlib
from collections import deque

PAGE_BYTES = 4096
PAGE_WORDS = PAGE_BYTES // 8
PAGES = 512
TEXT_BYTES = 400
MOST_TEXTS = 8
_TEXT_EACH_BYTES = TEXT_BYTES + 8
_READ_ATTEMPTS = 50


class Board:
    """The pages, and who has which.

    Only the supervisor allocates and frees; a worker is told the index of its page.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, PAGES * PAGE_BYTES)
        # The longest free first: a worker may be late to forget a page of a stream that
        # was removed, and must not find somebody else's words there.
        self._free = deque(range(PAGES))

    def allocate(self) -> int:
        """Return the index of a page full of zeros.

        Raises:
            RuntimeError: All are taken; the limit of streams is below that.
        """
        if not self._free:
            raise RuntimeError(f"all {PAGES} pages of the board are taken")
        index = self._free.popleft()
        start = index * PAGE_BYTES
        self._memory[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)
        return index

    def free(self, index: int) -> None:
        """Take back the page ``index``; whoever wrote it has ended."""
        self._free.append(index)

    def page(self, index: int) -> Page:
        """Return the page ``index``."""
        start = index * PAGE_BYTES
        return Page(memoryview(self._memory)[start : start + PAGE_BYTES])


class Page:
    """One page: words from its start, a text at its end, more of them before that one.

    Who writes more texts than one has room for fewer words: each takes 51 of them.
    """

    __slots__ = ("_bytes", "words")

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory
        self.words = memory.cast("Q")

    def write_text(self, text: str, place: int = 0) -> None:
        """Replace a text of the page, cut to ``TEXT_BYTES`` of UTF-8.

        Args:
            text: What is to stand there.
            place: Below ``MOST_TEXTS``; 0 is the one at the end.
        """
        start = _text_start(place)
        data = text.encode("utf-8", "replace")[:TEXT_BYTES]
        data = data.decode("utf-8", "ignore").encode()
        head = len(data).to_bytes(4, "little") + zlib.crc32(data).to_bytes(4, "little")
        self._bytes[start : start + 8 + len(data)] = head + data

    def read_text(self, place: int = 0) -> str:
        """Return a text; empty where it was never written."""
        start = _text_start(place)
        for _ in range(_READ_ATTEMPTS):
            head = bytes(self._bytes[start : start + 8])
            length = int.from_bytes(head[:4], "little")
            data = bytes(self._bytes[start + 8 : start + 8 + length])
            if length <= TEXT_BYTES and zlib.crc32(data) == int.from_bytes(
                head[4:], "little"
            ):
                return data.decode("utf-8", "replace")
        return ""


def _text_start(place: int) -> int:
    assert 0 <= place < MOST_TEXTS
    return PAGE_BYTES - (place + 1) * _TEXT_EACH_BYTES
