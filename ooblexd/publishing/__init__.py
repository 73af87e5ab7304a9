"""Step 0, for streams that others publish: how a publisher says which, by which key.

A publisher connects to control, which hears it until it has said what it publishes, and
hands the connection to the ingest worker of that stream: whatever it sends then harms
that worker alone. Both have the same `Session`. Control's is not handed over; ingest
makes a new one and has it hear again what was said, which is a few kilobytes.

Everything here is pure: bytes in, bytes out, no socket and no clock.

RTMP is our own, as far as publishers use it. pyrtmp, the one library of PyPI that still
installs, has no wheel and no release since 2024, sets up the root logger when imported,
reads bit by bit (4 % of a core for 4 Mbit/s, where this takes 0.1 %, and 1.3 % in the
smallest chunks), and has no bound on what it keeps of a message. nginx-rtmp would be a
second daemon to install, configure and keep alive, asks for stream keys by HTTP, knows
no H.265, and had its last release in 2017.

RTSP's requests are few and read as HTTP's are; what is hard, its packets, is FFmpeg's.
Of the libraries on PyPI none takes what others publish: aiortsp reads cameras, rtsp-rs
serves viewers and has no wheel for ARM. gst-rtsp-server would be a second daemon too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ooblexd.errors import PublisherError

if TYPE_CHECKING:
    from ooblexd.plan import ListenProtocol

__all__ = ["Refusal", "Session", "Wish", "hear_again", "open_session"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a publisher wants.

    Attributes:
        path: Of the stream, without slashes around it: ``live/door``.
        token: By which it may; empty if it gave none.
        is_to_play: It wants to watch, at a door where one may.
    """

    path: str
    token: str = ""
    is_to_play: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not.

    Attributes:
        reason: For the publisher's owner.
        is_of_key: The key is wrong or missing; else there is no such stream, or it
            cannot take anything now.
    """

    reason: str
    is_of_key: bool = False


class Session(Protocol):
    """What is said to a publisher, until what it sends is video.

    Attributes:
        wish: What it wants, once it has said so; what it says after that is not read.
    """

    @property
    def wish(self) -> Wish | None: ...  # noqa: D102 - documented above

    def receive(self, data: bytes) -> None:
        """Take what the publisher said.

        Raises:
            PublisherError: It cannot be understood.
        """

    def take_output(self) -> bytes:
        """Return what is to be said, once."""

    def accept(self) -> None:
        """Say that it may publish."""

    def refuse(self, refusal: Refusal) -> None:
        """Say that it may not; it may then wish for something else."""


def hear_again(session: Session, transcript: bytes, refusals: int) -> None:
    """Bring a new session to where another one is, and say nothing twice.

    Args:
        session: Which has heard nothing.
        transcript: All that the other one has heard.
        refusals: Wishes that were refused before the one that is granted.

    Raises:
        PublisherError: There is no such wish in it.
    """
    session.receive(transcript)
    for _ in range(refusals):
        session.refuse(Refusal(""))
        session.receive(b"")
    if session.wish is None:
        raise PublisherError("nothing that it wants to publish")
    session.take_output()


def open_session(protocol: ListenProtocol, *, serves_players: bool = False) -> Session:
    """Begin to talk to somebody who has connected.

    Args:
        protocol: That is spoken.
        serves_players: One may also wish to play, by RTSP.
    """
    if protocol == "rtmp":
        from ooblexd.publishing.rtmp import RtmpSession  # noqa: PLC0415 - only if needed

        return RtmpSession()
    from ooblexd.publishing.rtsp import RtspSession  # noqa: PLC0415 - likewise

    return RtspSession(serves_players=serves_players)
