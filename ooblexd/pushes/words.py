"""Why a push does not get through, in words for the owner of the stream."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.errors import PushError, PushRefusedError
from ooblexd.pushes.url import secrets_of
from ooblexd.redaction import MASK, redact

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_HOST = re.compile(r"Failed to resolve hostname (\S+):")
_REFUSAL = re.compile(r"Server error: (.+)")
_NO_TRUST = re.compile(r"certificate|verification", re.IGNORECASE)
_ORDERS = re.compile(r"Slave '.*': ")
_STATUS = {
    "HTTPUnauthorizedError": "login refused (401)",
    "HTTPForbiddenError": "login refused (403)",
    "HTTPNotFoundError": "nothing at this path (404)",
}
_BY_ERRNO = {
    errno.ECONNREFUSED: "connection refused",
    errno.ETIMEDOUT: "no answer in time",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the host",
    errno.ENOENT: "there is no such device",
    errno.ENODEV: "there is no such device",
    errno.ENOTTY: "it is no video device",
    errno.EACCES: "the device may not be opened",
    errno.EBUSY: "somebody else writes to the device",
}
_CLOSED = (errno.EIO, errno.EPIPE, errno.ECONNRESET)
_SHORTEST_SECRET = 4


class Complaint(NamedTuple):
    """What FFmpeg said when it failed.

    Attributes:
        kind: The name of PyAV's error.
        errno: 0 where it has none.
        strerror: In its words.
        messages: What it logged last.
    """

    kind: str
    errno: int
    strerror: str
    messages: Sequence[str]


def explain(complaint: Complaint, url: str, *, was_open: bool) -> PushError:
    """Return the error that tells the owner what ``complaint`` means.

    Args:
        complaint: FFmpeg's.
        url: Where to; nothing secret of it is repeated.
        was_open: Pictures have gone through for a while.
    """
    if complaint.kind in _STATUS:
        return PushRefusedError(_STATUS[complaint.kind])
    # What the tee muxer repeats of its orders says nothing about the server.
    said = _ORDERS.sub("", "\n".join(complaint.messages))
    told = _of_messages(said, url)
    if told is not None:
        return told
    if complaint.errno in _BY_ERRNO:
        return PushError(_BY_ERRNO[complaint.errno])
    if complaint.errno in _CLOSED or complaint.kind == "EOFError":
        if was_open:
            return PushError("the server closed the connection")
        hint = "is the key right?"
        if url.lower().startswith("rtmp"):
            hint = "are the application and the key right?"
        return PushError(f"the server closed the connection at once; {hint}")
    return PushError(f"it fails: {scrub(complaint.strerror, url)}")


def _of_messages(said: str, url: str) -> PushError | None:
    if found := _NO_HOST.search(said):
        return PushError(f"there is no host {found[1]}")
    if found := _REFUSAL.search(said):
        return PushRefusedError(f"the server refuses it: {scrub(found[1], url)}")
    if _NO_TRUST.search(said):
        return PushRefusedError("the server's certificate is not to be trusted")
    return None


def scrub(text: str, url: str) -> str:
    """Return ``text`` without what is secret of ``url``."""
    for secret in sorted(secrets_of(url), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    return redact(text)
