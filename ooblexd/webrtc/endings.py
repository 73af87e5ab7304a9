"""Why viewers could not watch, of late: for whoever asks `diagnose`."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection

MOST = 20
_MOST_TEXT = 300
_MOST_CANDIDATES = 8


class Ending(NamedTuple):
    """A connection that failed.

    Attributes:
        at_unix_s: When.
        reason: Why, as far as can be told from here.
    """

    at_unix_s: float
    reason: str


class Endings:
    """The newest of them, of one stream."""

    def __init__(self) -> None:
        self._known: deque[Ending] = deque(maxlen=MOST)

    def note(self, reason: str) -> None:
        """Remember one; an empty reason is none."""
        if reason:
            self._known.append(Ending(time.time(), reason[:_MOST_TEXT]))

    def as_json(self) -> str:
        """Return them, the oldest first, as `parse_endings` reads them."""
        return json.dumps([one._asdict() for one in self._known])


def why_unconnected(connection: RTCPeerConnection) -> str:
    """Say why a connection that should be there by now is not."""
    transports = [one.sender.transport for one in connection.getTransceivers()]
    ice = transports[0].transport if transports else None
    if ice is not None and ice.state == "completed":
        return "the handshake failed (DTLS)"
    theirs = ice.getRemoteCandidates() if ice is not None else []
    told = ", ".join(f"{one.ip} ({one.type})" for one in theirs[:_MOST_CANDIDATES])
    return (
        f"no way was found (ICE); it can be reached at {told or 'no address it told'}"
    )
