from __future__ import annotations

import asyncio
import multiprocessing
import resource
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from ooblexd.board import Board
from ooblexd.commands import ForgetStream, send
from ooblexd.control.configuration import Configuration
from ooblexd.control.link import Link
from ooblexd.control.streams import Streams
from ooblexd.plan import DaemonPlan

if TYPE_CHECKING:
    from pathlib import Path

_LEFT_BYTES = 1 << 19  # less than a message may have


def test_who_has_no_memory_to_hear_the_supervisor_says_so(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    process = context.Process(
        target=lambda: asyncio.run(_hear_without_memory(tmp_path))
    )
    process.start()
    process.join(20)

    assert process.exitcode == 0


async def _hear_without_memory(folder: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    board = Board()
    streams = Streams(board, board.allocate())
    plan = DaemonPlan("127.0.0.1", 8080, str(folder / "ooblexd.toml"), ())
    closed, spent = asyncio.Event(), asyncio.Event()
    link = Link(theirs, streams, Configuration(plan), closed.set, spent.set)
    link.start()
    hoard = _take_all_memory()
    send(ours, ForgetStream("door"))
    await asyncio.wait_for(spent.wait(), 5)
    hoard.clear()
    assert not closed.is_set()


def _take_all_memory() -> list[bytearray]:
    """Have the calling process get no more than a little; return what it took."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
    hoard = []
    size = 1 << 26
    while size > _LEFT_BYTES:
        with suppress(MemoryError):
            hoard.append(bytearray(size))
            continue
        size //= 2
    return hoard
