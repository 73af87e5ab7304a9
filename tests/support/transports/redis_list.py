"""Redis: LPUSH and LTRIM in one round, BRPOP; a unix socket, nothing on the disk."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.support.peers import peer_environment, peer_module, peer_program
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from tests.support.transports import Picture

_KEY = "pictures"


class RedisList:
    """A list of which all but the newest picture is cut off; the parser is hiredis."""

    def __init__(self, picture_bytes: int) -> None:
        del picture_bytes

    def __enter__(self) -> Self:
        self._redis = peer_module("redis", "redis")
        program = peer_program("redis", "redis-server")
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._path = Path(self._folder.name) / "socket"
        self._server = subprocess.Popen(
            [program, *f"--port 0 --unixsocket {self._path}".split(), "--save", ""],
            cwd=self._folder.name,
            env=peer_environment(),
            stdout=subprocess.DEVNULL,
        )
        eventually(self._path.exists)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.wait()
        self._folder.cleanup()

    @contextmanager
    def sender(self) -> Iterator[Callable[[Picture], None]]:
        """Copy into an object that Redis' client writes to its socket."""
        with self._connection() as connection:

            def send(picture: Picture) -> None:
                with connection.pipeline(transaction=False) as pipeline:
                    pipeline.lpush(_KEY, picture.tobytes())
                    pipeline.ltrim(_KEY, 0, 0)
                    pipeline.execute()

            yield send

    @contextmanager
    def receiver(self) -> Iterator[Callable[[Picture], None]]:
        """Copy out of what Redis' client has read."""
        with self._connection() as connection:

            def receive(picture: Picture) -> None:
                _, found = connection.brpop(_KEY)
                np.copyto(picture, np.frombuffer(found, np.uint8))

            yield receive

    def _connection(self) -> Any:
        return self._redis.Redis(unix_socket_path=str(self._path))
