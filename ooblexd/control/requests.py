"""How many requests were answered: counters on control's own page of the board.

They stand behind the words of the worker (`heartbeat.WorkerWord`) as pairs of key and
count, so that they go on after control has been replaced. A key is
``route << 32 | method << 16 | status``; keys are never removed, and what finds no room
is counted as `OTHER` in all three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ooblexd.board import Page

_FIRST_WORD = 32
_PAIRS = 200  # ends at word 432, before the text
_METHODS = ("other", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OVERFLOW = 1  # the key of what found no room; real keys hold a status
OTHER = "other"


class RequestCount(NamedTuple):
    """One line of ``ooblexd_http_requests_total``."""

    method: str
    path: str
    status: str
    answers: int


class RequestCounts:
    """The counters; one writer, control.

    Args:
        page: Control's worker page.
        paths: The templates of all routes, in an order that a release does not change
            while it runs.
    """

    def __init__(self, page: Page, paths: Sequence[str]) -> None:
        self._words = page.words
        self._paths = (OTHER, *paths)
        self._routes = {path: index for index, path in enumerate(self._paths)}
        self._places: dict[int, int] = {}
        for place in self._taken():
            self._places[self._words[place]] = place

    def count(self, method: str, path: str, status: int) -> None:
        """Count one answer; unknown methods and paths count as `OTHER`."""
        method_index = _METHODS.index(method) if method in _METHODS else 0
        key = self._routes.get(path, 0) << 32 | method_index << 16 | status
        self._words[self._place_of(key) + 1] += 1

    def read(self) -> list[RequestCount]:
        """Return all counts."""
        return [
            self._line(self._words[place], self._words[place + 1])
            for place in self._taken()
        ]

    def _line(self, key: int, count: int) -> RequestCount:
        status = key & 0xFFFF
        return RequestCount(
            _METHODS[key >> 16 & 0xFFFF],
            self._paths[key >> 32],
            str(status) if status != _OVERFLOW else OTHER,
            count,
        )

    def _taken(self) -> Iterator[int]:
        for place in range(_FIRST_WORD, _FIRST_WORD + 2 * _PAIRS, 2):
            if not self._words[place]:
                return
            yield place

    def _place_of(self, key: int) -> int:
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= _PAIRS - 1:
                key = _OVERFLOW
            place = self._places.get(key, _FIRST_WORD + 2 * len(self._places))
            self._words[place] = key
            self._places[key] = place
        return place
