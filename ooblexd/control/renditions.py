"""In which smaller forms the pictures of a stream are wanted, and how many may be."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ooblexd.control.problems import ProblemError
from ooblexd.renditions import MOST_RENDITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.renditions import Rendition

_AGAIN_S = 5


class WantedRenditions:
    """Those of one stream, each counted as often as it is wanted."""

    def __init__(self) -> None:
        self._wanted: Counter[Rendition] = Counter()

    @contextmanager
    def wanted(self, rendition: Rendition, stream: str) -> Iterator[None]:
        """Count ``rendition`` until left.

        Raises:
            ProblemError: 503 where others want all that there may be.
        """
        if rendition not in self._wanted and len(self._wanted) >= MOST_RENDITIONS:
            raise self._refusal(stream)
        self._wanted[rendition] += 1
        try:
            yield
        finally:
            self._wanted[rendition] -= 1
            self._wanted += Counter()  # without those that nobody wants

    def row(self, *, is_wanted: bool = True) -> list[int]:
        """Return a key a place of the demand page; 0 where none is wanted."""
        keys = [one.key for one in self._wanted] if is_wanted else []
        return keys + [0] * (MOST_RENDITIONS - len(keys))

    def _refusal(self, stream: str) -> ProblemError:
        made = [f"width={one.width}&quality={one.quality}" for one in self._wanted]
        others = ", ".join(made).replace("width=0&", "").replace("&quality=0", "")
        detail = (
            f"{stream} is being made in {MOST_RENDITIONS} forms already, which is the "
            f"most; one of these can be had: {others}"
        )
        refusal = ProblemError(503, detail)
        refusal.retry_after_s = _AGAIN_S
        return refusal
