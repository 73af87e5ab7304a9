"""What control and the workers with peer connections say to one another.

The supervisor passes it on; the connections themselves are `ooblexd.webrtc`'s.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar


class SignalVerb(str, enum.Enum):
    """What control hands to the worker that has a stream's peer connections."""

    OFFER = "offer"
    CANDIDATES = "candidates"
    END = "end"
    TELL = "tell"  # the answer to a `PeerWish`
    ENDINGS = "endings"  # control itself asks why connections failed


class SessionKind(str, enum.Enum):
    """What a peer comes for: it decides which worker has its connection."""

    WATCH = "whep"  # output
    PUBLISH = "whip"  # ingest


@dataclass(frozen=True, slots=True)
class Signal:
    """A peer of a stream says something about its connection.

    Attributes:
        request: Its number, for the answer.
        stream: Which one.
        verb: A `SignalVerb`.
        peer: Of the answer to its offer; empty in the offer.
        body: SDP, or a fragment of it.
        kind: A `SessionKind`.
        settings: With an offer: how the connection finds its ways, see `ooblexd.ice`.
    """

    tag: ClassVar[str] = "signal"
    request: int
    stream: str
    verb: str
    peer: str
    body: str
    kind: str = SessionKind.WATCH.value
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Signalled:
    """The answer to `Signal`.

    Attributes:
        request: Of the question.
        error: Why it cannot be; empty where it is done.
        status: Of HTTP, for the error.
        peer: By which it is known from now on.
        body: SDP; empty where there is nothing to say.
    """

    tag: ClassVar[str] = "signalled"
    request: int
    error: str = ""
    status: int = 0
    peer: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class PeerWish:
    """A peer asks something of control by its data channel; answered by a `Signal`.

    Attributes:
        stream: Whose peer.
        peer: Its name.
        body: What it said, as it came; at most 16 KiB.
    """

    tag: ClassVar[str] = "peer_wish"
    stream: str
    peer: str
    body: str
