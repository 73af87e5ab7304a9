"""Step 1: where frames enter, one `Source` a URL scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ooblexd.frame import Matrix
    from ooblexd.pixels import Planes

__all__ = ["Picture", "Source"]


class Picture(Protocol):
    """A decoded picture that still lies in the decoder's memory.

    Attributes:
        width: In pixels, at least 1; odd sizes are allowed.
        height: In pixels, at least 1.
        full_range: Luma is 0..255 where true, 16..235 where false.
        matrix: The YUV coefficients.
        pts_ns: The source's own time, in ns from its start.
        capture_ns: Monotonic time at which the source handed the picture over: the
            arrival of its last packet, before decoding.
        decoded_ns: Monotonic time at which the decoder gave it.
    """

    width: int
    height: int
    full_range: bool
    matrix: Matrix
    pts_ns: int
    capture_ns: int
    decoded_ns: int

    def copy_to(self, planes: Planes) -> None:
        """Write the picture as I420 into ``planes``, which have its size."""


class Source(Protocol):
    """Something that gives pictures until it fails or is closed.

    A source is opened by `open_source`, used by one thread, and closed by the same
    thread. It neither reconnects nor counts: that is the ingest stage's.
    """

    def read(self) -> Picture:
        """Block until the next picture.

        Raises:
            SourceUnavailableError: It ended, or delivered nothing for 3 s.
            SourceRefusedError: The login was refused.
        """

    def close(self) -> None:
        """Release all that the source holds; a second call does nothing."""
