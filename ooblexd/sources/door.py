"""Where those come in who publish a stream, once control has let them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket

    from av.container import InputContainer

    from ooblexd.sources.network import Address
    from ooblexd.sources.options import SourceOptions


@dataclass(frozen=True, slots=True)
class Publisher:
    """Somebody who may publish, and waits to be told so.

    Attributes:
        connection: To it; whoever takes the publisher closes it.
        transcript: All that it has said so far.
        peer: Its address, for messages.
        refusals: What it wanted in vain before what it may.
    """

    connection: socket.socket
    transcript: bytes
    peer: str
    refusals: int = 0


class Door(Protocol):
    """Where publishers come in."""

    def take(self, within_s: float) -> Publisher | None:
        """Return the newest publisher, waiting for one; None if none came.

        Who was taken before it is cut off when the next one comes.
        """


class Broadcast(Protocol):
    """What a publisher sends, to be opened by FFmpeg.

    Attributes:
        ending: What the publisher did that it is over; empty while it is not.
    """

    @property
    def ending(self) -> str: ...  # noqa: D102 - the class documents it

    def answer(self) -> None:
        """Let the publisher begin.

        Raises:
            PublisherError: What it has said is not what control has heard.
            OSError: It has gone.
        """

    def open(self, address: Address, options: SourceOptions) -> InputContainer:
        """Open what comes; blocks until there is video.

        Raises:
            SourceUnavailableError: It is none.
        """

    def be_impatient(self, silence_s: float) -> None:
        """End, from now on, when nothing has come for so long."""
