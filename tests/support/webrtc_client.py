"""A session by WHIP or WHEP, as a client has it: aiortc, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeAlias

import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import TracebackType

    from typing_extensions import Self


Work: TypeAlias = "Callable[[], Coroutine[None, None, None]]"


class WebRtcClient:
    """Has a session until left.

    Args:
        port: Of the daemon.
        path: Where the offer goes.
        headers: Beside ``Content-Type``.

    Attributes:
        answer: What the daemon said to the offer.
        states: Of its connection, as they came.
    """

    def __init__(
        self, port: int, path: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.answer: httpx.Response | None = None
        self.states: list[str] = []
        self._url = f"http://127.0.0.1:{port}{path}"
        self._headers = {"Content-Type": "application/sdp", **(headers or {})}
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._has_begun = threading.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._live(),)
        )

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._has_begun.wait(20)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def prepare(self, connection: RTCPeerConnection) -> list[Work]:
        """Add what is sent and received; return what runs while the session does."""
        raise NotImplementedError

    async def _live(self) -> None:
        connection = RTCPeerConnection()
        connection.on(
            "connectionstatechange",
            lambda: self.states.append(connection.connectionState),
        )
        work = self.prepare(connection)
        await connection.setLocalDescription(await connection.createOffer())
        async with httpx.AsyncClient(timeout=20) as client:
            self.answer = await client.post(
                self._url,
                content=connection.localDescription.sdp,
                headers=self._headers,
            )
            self._has_begun.set()
            if self.answer.status_code == 201:
                await connection.setRemoteDescription(
                    RTCSessionDescription(self.answer.text, "answer")
                )
                running = [asyncio.ensure_future(begin()) for begin in work]
                await self._over.wait()
                for one in running:
                    one.cancel()
                await client.delete(
                    httpx.URL(self._url).join(self.answer.headers["Location"])
                )
        await connection.close()
