"""Why a source cannot be read, in words for the owner of the camera."""

from __future__ import annotations

import contextlib
import errno
import re
from typing import TYPE_CHECKING

import av
import av.logging

from ooblexd.errors import SourceError, SourceRefusedError, SourceUnavailableError
from ooblexd.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LogLine = tuple[int, str, str]
"""One message of FFmpeg: level, who said it, what."""

_STATUS = re.compile(r"(?:failed:|HTTP error) (\d{3})")

_BY_CLASS: tuple[tuple[type[av.FFmpegError], str], ...] = (
    (av.HTTPNotFoundError, "nothing at this path (404)"),
    (av.HTTPServerError, "the camera reports an error of its own{status}"),
    (av.HTTPBadRequestError, "the camera does not accept the request{status}"),
    (av.HTTPOtherClientError, "the camera does not accept the request{status}"),
    (av.ConnectionRefusedError, "connection refused"),
    (av.ConnectionResetError, "the camera closed the connection"),
    (av.EOFError, "the camera closed the connection"),
    (av.BrokenPipeError, "the camera closed the connection"),
    (av.error.ExitError, "nothing came for {waited_s:g} s"),
    (av.TimeoutError, "no answer within {waited_s:g} s"),
    (av.DecoderNotFoundError, "its video codec is not supported"),
    (av.InvalidDataError, "what answers is not a video"),
)
_BY_ERRNO = {
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the host",
    errno.EPROTONOSUPPORT: "the camera refuses this transport (461)",
    errno.EIO: "the connection was lost",
    errno.ENODEV: "the device was unplugged",
}


def explain(
    exc: av.FFmpegError,
    messages: Sequence[LogLine] = (),
    *,
    waited_s: float,
    is_late: bool = False,
) -> SourceError:
    """Return the error that tells the owner what ``exc`` means.

    Args:
        exc: What PyAV raised.
        messages: What FFmpeg said meanwhile.
        waited_s: The time limit that held.
        is_late: The limit had passed; some of FFmpeg's demuxers then report data that
            they could not read as invalid.
    """
    if isinstance(exc, av.HTTPUnauthorizedError):
        return SourceRefusedError("login refused (401)")
    if isinstance(exc, av.HTTPForbiddenError):
        return SourceRefusedError("login refused (403)")
    if is_late:
        return SourceUnavailableError(f"no answer within {waited_s:g} s")
    if _lacks_video(messages):
        return SourceUnavailableError("there is no video track")
    status = _status_of(messages)
    reason = _reason_of(exc).format(status=status, waited_s=waited_s)
    return SourceUnavailableError(reason)


def explain_socket(exc: OSError, *, waited_s: float) -> str:
    """Return the reason for which there is no connection to a camera."""
    if isinstance(exc, TimeoutError):
        return f"no answer within {waited_s:g} s"
    if isinstance(exc, ConnectionRefusedError):
        return "connection refused"
    return _BY_ERRNO.get(exc.errno or 0) or f"it cannot be reached: {exc.strerror}"


@contextlib.contextmanager
def ffmpeg_messages() -> Iterator[list[LogLine]]:
    """Collect what FFmpeg would print; outside of this block it says nothing."""
    av.logging.set_level(av.logging.WARNING)  # a server's status is one
    # Else what was said at the attempt before, in the same words, is not said again.
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as messages:
            yield messages
    finally:
        av.logging.set_level(None)


def without_secrets(exc: av.FFmpegError) -> av.FFmpegError:
    """Take the URL and FFmpeg's messages out of ``exc``, which then may be shown."""
    exc.args = (exc.errno, redact(exc.strerror or ""))
    return exc


def is_transport_refused(error: SourceError) -> bool:
    """Say whether the camera refused the transport, so that another may work."""
    cause = error.__cause__
    return isinstance(cause, av.FFmpegError) and cause.errno == errno.EPROTONOSUPPORT


def _lacks_video(messages: Sequence[LogLine]) -> bool:
    # Only video tracks are set up; a session without any has nothing to play, and each
    # server refuses that in its own way.
    return any("method PLAY failed: 45" in text for _, _, text in messages)


def _status_of(messages: Sequence[LogLine]) -> str:
    for _, _, text in reversed(messages):
        if found := _STATUS.search(text):
            return f" ({found[1]})"
    return ""


def _reason_of(exc: av.FFmpegError) -> str:
    for kind, reason in _BY_CLASS:
        if isinstance(exc, kind):
            return reason
    strerror = redact(exc.strerror or type(exc).__name__).replace("{", "(")
    return _BY_ERRNO.get(exc.errno or 0) or f"it cannot be read: {strerror}"
