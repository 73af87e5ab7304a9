"""Streams that others publish, by RTMP or RTSP: whoever came last is seen.

Control has heard which stream a publisher means and by which key, and hands its
connection over; from then on it is read here, so that nobody else is hurt by what comes
over it. That nobody publishes is no fault: this source never ends and never fails; it
says that it waits.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from ooblexd.errors import (
    PublisherError,
    SourceError,
    SourceUnavailableError,
    SourceWaitingError,
)
from ooblexd.sources.flv import FlvBroadcast
from ooblexd.sources.network import Address, NetworkSource
from ooblexd.sources.options import SourceDescription
from ooblexd.sources.rtsp_published import RtspBroadcast

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.sources import Picture
    from ooblexd.sources.door import Broadcast, Door, Publisher
    from ooblexd.sources.options import SourceOptions

logger = logging.getLogger(__name__)

SILENCE_S = 2.0  # then the slate is seen within three seconds
VIDEO_WITHIN_S = 20.0  # the next keyframe of who began in the middle, such as a relay

_ADDRESS = Address(url="", default_port=0, transport="rtmp", av_options={})


def open_published(url: str, options: SourceOptions) -> PublishedSource:
    """Wait at the door of ``options``.

    Raises:
        SourceUnavailableError: There is none: nobody can publish to what does not run.
    """
    if options.door is None:
        raise SourceUnavailableError("others publish to it, once it is a stream")
    by_rtsp = url.partition(":")[0].lower() == "rtsp-listen"
    broadcast = RtspBroadcast if by_rtsp else FlvBroadcast
    return PublishedSource(options.door, options, broadcast)


class PublishedSource:
    """A `ooblexd.sources.Source` of what others publish, one after another.

    Args:
        door: Where they come in.
        options: ``read_timeout_s`` is how long is waited for one at a time.
        open_broadcast: By the protocol that they speak.

    Attributes:
        description: Of who publishes; nothing is known before the first picture.
    """

    def __init__(
        self,
        door: Door,
        options: SourceOptions,
        open_broadcast: Callable[[Publisher, float, SourceOptions], Broadcast],
    ) -> None:
        self.description = SourceDescription("", 0, 0, 0.0, False, "tcp")
        self._open_broadcast = open_broadcast
        self._door = door
        self._options = options
        self._reason = "nobody publishes yet"
        self._is_told = False  # that nobody does, and why
        self._publisher: Publisher | None = None
        self._broadcast: Broadcast | None = None
        self._source: NetworkSource | None = None

    def read(self) -> Picture:
        """Block until the next picture.

        Raises:
            SourceWaitingError: Nobody publishes: by the first call, when a publisher
                has gone, and each time nobody came for ``read_timeout_s``.
        """
        while True:
            if self._source is None:
                self._source = self._open_next()
            try:
                picture = self._source.read()
            except SourceError as error:
                self._part(error.reason)
            else:
                self.description = self._source.description
                return picture

    def close(self) -> None:
        """Cut off who publishes; a second call does nothing."""
        self._part("")

    def _open_next(self) -> NetworkSource:
        """Open what the next publisher sends.

        Raises:
            SourceWaitingError: Nobody came, or what comes cannot be shown.
        """
        within_s = self._options.read_timeout_s if self._is_told else 0.0
        publisher = self._door.take(within_s)
        self._is_told = True
        if publisher is None:
            raise SourceWaitingError(self._reason)
        broadcast = self._open_broadcast(publisher, VIDEO_WITHIN_S, self._options)
        self._publisher, self._broadcast = publisher, broadcast
        patient = replace(
            self._options, open_timeout_s=VIDEO_WITHIN_S, read_timeout_s=SILENCE_S
        )
        try:
            broadcast.answer()
            source = NetworkSource(_ADDRESS, patient, broadcast.open)
        except SourceError as error:
            self._part(error.reason)
        except (PublisherError, OSError) as error:
            self._part(str(error))
        else:
            broadcast.be_impatient(SILENCE_S)
            self._is_told = False
            return source
        raise SourceWaitingError(self._reason)

    def _part(self, reason: str) -> None:
        """End with the publisher, whose video has ended for ``reason``."""
        publisher, source = self._publisher, self._source
        self._publisher = self._source = None
        if publisher is None or self._broadcast is None:
            return
        why = self._broadcast.ending or f"sent what cannot be shown: {reason}"
        self._reason = f"the publisher {why}"  # who it was, a slate tells nobody
        logger.info("%s, which published, %s", publisher.peer, why)
        with contextlib.suppress(OSError):  # it has gone already
            publisher.connection.shutdown(socket.SHUT_RDWR)  # which ends the reading
        if source is not None:
            source.close()
        publisher.connection.close()
