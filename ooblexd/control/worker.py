"""Control's life: from the fork to a clean end.

One event loop does everything; its own heartbeat task is therefore its honest word,
and nothing in it may block for longer than a tenth of a second. Files are written in a
thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import anyio
import uvloop

from ooblexd.clock import monotonic_ns
from ooblexd.control import ControlContext
from ooblexd.control.app import build_app
from ooblexd.control.census import Census, proportional_set_bytes
from ooblexd.control.changes import Changes
from ooblexd.control.configuration import Configuration
from ooblexd.control.feeds import STALLED_S
from ooblexd.control.health import HealthReport
from ooblexd.control.link import Link
from ooblexd.control.local import build_local_app
from ooblexd.control.reception import Reception
from ooblexd.control.rtsp_playing import Players
from ooblexd.control.server import ABORT_AFTER_S, Local, Server
from ooblexd.control.streams import Streams
from ooblexd.errors import WorkerSpentError
from ooblexd.heartbeat import Heartbeat, WorkerWord
from ooblexd.log import set_level

__all__ = ["ControlContext", "run_control"]

logger = logging.getLogger(__name__)

_BEAT_S = 0.3
_TICK_S = 1.0
_LAYOUT_WITHIN_S = 2.0  # then even a page without streams says more than silence
_TICKS_A_MEASUREMENT = 10
_SPARE_BYTES = 1 << 20  # without these, pictures and answers fail one after another
_TICKS_WITHOUT = 2  # in a row: a want that passes ends nobody's connection


def run_control(context: ControlContext) -> None:
    """Serve until SIGTERM, or until the supervisor is gone.

    Called in the forked child, which inherits nothing of the supervisor's signal
    handling; SIGINT is ignored, since at a terminal the supervisor gets it as well and
    stops its workers in the order of the flow.

    Raises:
        WorkerSpentError: There is no memory; each request would fail for ever.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Accepted sockets inherit it: a part of a stream must not wait for more to send.
    context.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Likewise: who asks and never reads the answer is gone after this long.
    context.listener.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED_S * 1000)
    )
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(_Control(context).run())
    finally:
        # It takes a thread, which a process without memory does not get.
        with suppress(RuntimeError, MemoryError):
            loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


class _Control:
    def __init__(self, context: ControlContext) -> None:
        self._context = context
        self._page = context.board.page(context.page)
        self._heartbeat = Heartbeat(self._page)
        self._streams = Streams(context.board, context.supervisor_page)
        self._configuration = Configuration(context.plan)
        self._link = Link(
            context.commands,
            self._streams,
            self._configuration,
            on_closed=self._stop,
            on_spent=self._give_up,
        )
        players = Players(self._streams, context.plan.rtsp.place)
        self._reception = Reception(self._streams, self._link.admit, players)
        self._link.entrances = self._reception
        self._changes = Changes(self._configuration, self._link)
        app = build_app(context, self._streams, self._changes, self._configuration)
        self._server = Server(app, self._local())
        self._ticks_without = 0
        self._is_spent = False

    async def run(self) -> None:
        self._heartbeat.beat()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            tasks.start_soon(self._tick)
            tasks.start_soon(self._reception.serve)
            self._link.start()
            # The listener queues connections from the supervisor's start on, so whoever
            # connects before the server has begun to accept is only a moment early.
            self._link.announce()
            tasks.start_soon(self._changes.sweep)
            tasks.start_soon(asyncio.to_thread, self._changes.load)
            tasks.start_soon(self._configuration.keep_last_good)
            # Until then it would say of every stream that there is none.
            with anyio.move_on_after(_LAYOUT_WITHIN_S):
                await self._streams.laid_out.wait()
            await self._server.serve(sockets=[self._context.listener])
            tasks.cancel_scope.cancel()
        self._link.stop()
        if self._is_spent:
            raise WorkerSpentError("memory")
        logger.info("stopped")

    def _local(self) -> Local | None:
        context = self._context
        if context.control_socket is None:
            return None
        health = HealthReport(self._streams, self._configuration)
        census = Census(context, self._streams, health)
        path = Path(context.control_socket.getsockname())
        return Local(context.control_socket, build_local_app(path, census.take))

    def _stop(self) -> None:
        """Let viewers go and have the server end; what lingers has a second."""
        self._server.should_exit = True
        self._streams.close()
        loop = asyncio.get_running_loop()
        loop.call_later(ABORT_AFTER_S, self._server.abort_connections)

    async def _beat(self) -> None:
        while True:
            self._heartbeat.beat()
            await anyio.sleep(_BEAT_S)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            self._look_for_memory()
            self._streams.tick(monotonic_ns())
            if level := self._page.words[WorkerWord.LOG_LEVEL]:
                set_level(level)
            if ticks % _TICKS_A_MEASUREMENT == 0:
                words = self._page.words
                words[WorkerWord.PSS_BYTES] = proportional_set_bytes(os.getpid())
            ticks += 1
            await anyio.sleep(_TICK_S)

    def _look_for_memory(self) -> None:
        """End once there is none: what was taken, only a new process gives back."""
        try:
            bytearray(_SPARE_BYTES)
        except MemoryError:
            self._ticks_without += 1
        else:
            self._ticks_without = 0
        if self._ticks_without == _TICKS_WITHOUT:
            self._give_up()

    def _give_up(self) -> None:
        self._is_spent = True
        self._stop()
