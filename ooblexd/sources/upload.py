"""Pictures that clients send, one file a request: the newest wins (``upload:``).

The files come through an `Inbox`, still as they were sent: control, which serves the
requests, decodes nothing. Silence is no fault of this source, so it never ends and
never fails; it says that it waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.errors import (
    BadPictureError,
    SourceUnavailableError,
    SourceWaitingError,
)
from ooblexd.sources.options import SourceDescription
from ooblexd.sources.upload_file import read_upload
from ooblexd.sources.upload_picture import decode_upload

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions
    from ooblexd.sources.upload_picture import UploadedPicture

# The first picture after a silence, as a doorbell sends it, would come alone to effects
# that cover until they have analysed five, and one larger than all before it finds the
# rings too small on its way. A camera sends the next one soon; for whoever sends one
# alone it is given again, in the end more slowly.
_REPEAT_AFTER_NS = tuple(ms * NS_PER_MS for ms in (*[70] * 10, 300, 600, 900))

_NOTHING_YET = "no picture has been sent yet"
_NOTHING_MORE = "nobody sends pictures at present"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a client sent it.

    Attributes:
        data: Its bytes; nobody has looked into them.
        capture_ns: Monotonic time at which its last byte came.
    """

    data: bytes
    capture_ns: int


class Inbox(Protocol):
    """Where uploads arrive."""

    def take(self, within_s: float) -> Upload | None:
        """Return the newest upload, waiting for one; None if none came."""


def open_upload(options: SourceOptions) -> UploadSource:
    """Wait at the inbox of ``options``.

    Raises:
        SourceUnavailableError: There is none: nothing outside of a running stream can
            be sent to.
    """
    if options.inbox is None:
        raise SourceUnavailableError("pictures are sent to it, by a running stream")
    return UploadSource(options.inbox, options)


class UploadSource:
    """A `ooblexd.sources.Source` of what clients send.

    Args:
        inbox: Where it arrives.
        options: ``read_timeout_s`` is how long a silence may be.

    Attributes:
        description: Nothing is known before the first picture.
    """

    def __init__(self, inbox: Inbox, options: SourceOptions) -> None:
        self.description = SourceDescription("", 0, 0, 0.0, False, "upload")
        self._inbox = inbox
        self._now_ns = options.now_ns
        self._patience_ns = int(options.read_timeout_s * NS_PER_S)
        self._opened_ns = options.now_ns()
        self._due_ns = self._opened_ns  # when to say that nothing comes
        self._is_waiting = True
        self._reason = _NOTHING_YET
        self._again: list[UploadedPicture] = []
        self._repeats = 0  # that are left until the next silence
        self._most_pixels = 0

    def read(self) -> UploadedPicture:
        """Block until the next picture.

        Raises:
            SourceWaitingError: Nothing that could be shown came for ``read_timeout_s``;
                also by the first call, and after it each time as long again.
            BadPictureError: What came cannot be shown; the source goes on.
        """
        left_ns = self._due_ns - self._now_ns()
        if left_ns <= 0:
            self._again = []
        if self._again:
            left_ns = min(left_ns, _REPEAT_AFTER_NS[-len(self._again)])
        upload = self._inbox.take(left_ns / NS_PER_S) if left_ns > 0 else None
        if upload is not None:
            return self._decode(upload)
        if self._again:
            self._repeats -= 1
            return self._again.pop()
        self._due_ns = self._now_ns() + self._patience_ns
        self._is_waiting = True
        raise SourceWaitingError(self._reason)

    def close(self) -> None:
        """Nothing is held; the inbox is its owner's."""

    def _decode(self, upload: Upload) -> UploadedPicture:
        try:
            picture = decode_upload(
                read_upload(upload.data),
                pts_ns=upload.capture_ns - self._opened_ns,
                capture_ns=upload.capture_ns,
                now_ns=self._now_ns,
            )
        except BadPictureError as bad:
            self._reason = f"the last picture sent cannot be shown: {bad.reason}"
            if self._is_waiting:
                self._due_ns = self._now_ns()  # say so at once
            raise
        if self._is_larger(picture) or self._is_waiting:
            self._repeats = len(_REPEAT_AFTER_NS)
        self._is_waiting = False
        self._again = [picture] * self._repeats
        self._reason = _NOTHING_MORE
        self._due_ns = upload.capture_ns + self._patience_ns
        return picture

    def _is_larger(self, picture: UploadedPicture) -> bool:
        pixels, before = picture.width * picture.height, self._most_pixels
        self._most_pixels = max(pixels, before)
        return pixels > before
