"""The ports on which others publish: opened and closed with the streams that name them.

And the one on which they play, which is open as long as the daemon runs.

They are the supervisor's, as that of HTTP is: a port in use refuses the change that
names it before anything else has happened, and control may be replaced without anybody
being turned away.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ooblexd.commands import Listen, ListenNoMore
from ooblexd.errors import ChangeRefusedError, PortUnusableError
from ooblexd.supervisor.listener import holder_of_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ooblexd.commands import Message
    from ooblexd.plan import Place, StreamPlan

    Tell = Callable[[Message, tuple[int, ...]], None]

_BACKLOG = 64
_FIRST_FREE_PORT = 1024

logger = logging.getLogger(__name__)


class Doors:
    """The listening sockets, by their place.

    Args:
        tell: Says something to control, if it is there.
        playing: Where players come; None where they may not.
    """

    def __init__(self, tell: Tell, playing: Place | None = None) -> None:
        self._tell = tell
        self._playing = playing
        self._open: dict[Place, socket.socket] = {}

    def open_for_players(self) -> None:
        """Have the port open on which streams are played, if they may be.

        Raises:
            PortUnusableError: It cannot be listened on.
        """
        place = self._playing
        if place is not None and place not in self._open:
            self._open_at(place, "rtsp.port")
            logger.info("%s is for players too", place)

    def open_for(self, plan: StreamPlan) -> None:
        """Have the port open on which ``plan`` wants to be published, if it does.

        Raises:
            PortUnusableError: It cannot be listened on.
        """
        listening = plan.listening
        if listening is None or not plan.enabled:
            return
        place = listening.place
        if not plan.publish_key and not ip_address(place.host).is_loopback:
            logger.warning(
                "[stream %s] whoever reaches port %d may publish it; a publish_key "
                "would prevent that",
                plan.name,
                place.port,
            )
        self._open_at(place, f"streams.{plan.name}.source: {place}")

    def _open_at(self, place: Place, key: str) -> None:
        if place in self._open:
            return
        try:
            listener = _listen_on(place.host, place.port)
        except OSError as error:
            reason = f"{key}: {_why(error, place)}"
            raise PortUnusableError(reason) from None  # which is no lack of anything
        self._open[place] = listener
        logger.info("listening on %s", place)
        self._tell(Listen(place.protocol, place.host, place.port), (listener.fileno(),))

    def settle(self, plans: Iterable[StreamPlan]) -> None:
        """Close what none of ``plans``, which are all that there are, needs."""
        listenings = [plan.listening for plan in plans if plan.enabled]
        needed = {listening.place for listening in listenings if listening}
        for place in self._open.keys() - needed - {self._playing}:
            self._shut(place)

    def brief(self) -> None:
        """Tell a new life of control of all of them."""
        for place, listener in self._open.items():
            told = Listen(place.protocol, place.host, place.port)
            self._tell(told, (listener.fileno(),))

    def close(self) -> None:
        """Close all."""
        for place in tuple(self._open):
            self._shut(place)

    def _shut(self, place: Place) -> None:
        self._open.pop(place).close()
        logger.info("listening no more on %s", place)
        self._tell(ListenNoMore(place.protocol, place.host, place.port), ())


def refuse_twins(plans: Iterable[StreamPlan]) -> None:
    """See that no two of ``plans`` are published in the same place by the same name.

    Raises:
        ChangeRefusedError: Two are; the message names them.
    """
    known: dict[object, str] = {}
    for plan in plans:
        if plan.listening is None or not plan.enabled:
            continue
        other = known.setdefault(plan.listening, plan.name)
        if other != plan.name:
            raise ChangeRefusedError(
                f"streams.{plan.name}.source: {plan.source} is that of {other} "
                "already; take another name behind the port"
            )


def _listen_on(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _why(error: OSError, place: Place) -> str:
    if error.errno == errno.EADDRINUSE:
        holder = holder_of_port(place.port)
        if holder and holder.endswith(f"(pid {os.getpid()})"):
            return f"port {place.port} is this daemon's own already, on another address"
        by = f" by {holder}" if holder else ""
        return f"port {place.port} is in use{by}; stop it, or choose another"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{place.host} is no address of this machine"
    if error.errno == errno.EACCES and place.port < _FIRST_FREE_PORT:
        return f"port {place.port} is privileged; choose one above 1023"
    return f"cannot be listened on: {error.strerror}"
