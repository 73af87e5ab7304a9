"""Step 6: a picture on its way to the viewer: MJPEG, and single snapshots.

``multipart/x-mixed-replace`` shows a part when the boundary after it arrives, so the
boundary is written right behind each picture, in the same send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request
from starlette.responses import Response

from ooblexd.clock import NS_PER_MS, NS_PER_S, NS_PER_US, monotonic_ns, unix_us
from ooblexd.control.dialects import OURS
from ooblexd.control.problems import ProblemError
from ooblexd.control.readings import StreamState
from ooblexd.frame import Verdict

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from ooblexd.control.dialects import Dialect
    from ooblexd.control.feeds import EncodedPicture, Feed, Viewer
    from ooblexd.control.streams import Streams

SNAPSHOT_WITHIN_S = 2.0
MIN_FPS = 0.01
MAX_FPS = 240.0

_BOUNDARY = b"--ooblexd-frame\r\n"
_STREAM_HEADERS = [
    (b"content-type", b"multipart/x-mixed-replace; boundary=ooblexd-frame"),
    (b"cache-control", b"no-store, no-transform"),
    (b"pragma", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # a proxy must not collect parts
]
_NS_TOLERANCE = 5 * NS_PER_MS  # how early a frame may come and still be in its turn


def ledger_headers(picture: EncodedPicture, now_ns: int) -> dict[str, str]:
    """Return what a picture says of itself, as headers.

    A slate, and a cover made before the first frame, show no frame of the source.
    """
    header = picture.header
    headers = {"X-Picture": header.verdict.name.lower()}
    if header.verdict != Verdict.SLATE and header.capture_ns:
        seconds, microseconds = divmod(
            unix_us(header.capture_ns), NS_PER_S // NS_PER_US
        )
        age_ms = max(now_ns - header.capture_ns, 0) / NS_PER_MS
        headers["X-Sequence"] = str(header.sequence)
        headers["X-Capture-Time"] = f"{seconds}.{microseconds:06d}"
        headers["X-Frame-Age-Ms"] = f"{age_ms:.1f}"
    return headers


def format_part(picture: EncodedPicture, now_ns: int) -> bytes:
    """Return one part of the stream: headers, picture, and the next boundary."""
    lines = [
        "Content-Type: image/jpeg",
        f"Content-Length: {len(picture.jpeg)}",
        *(f"{name}: {text}" for name, text in ledger_headers(picture, now_ns).items()),
    ]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return b"".join((head, picture.jpeg, b"\r\n", _BOUNDARY))


class Pace:
    """Lets through at most so many pictures a second, and every change of verdict.

    A change always passes: a viewer of one frame a second must not look at a face for a
    second after the stream was covered.

    Args:
        fps: The limit; 0 is none.
    """

    def __init__(self, fps: float) -> None:
        self._period_ns = int(NS_PER_S / fps) if fps else 0
        self._due_ns = 0
        self._verdict: Verdict | None = None

    def admits(self, verdict: Verdict, now_ns: int) -> bool:
        """Say whether a picture is to be sent now, and count it if so."""
        is_same = verdict == self._verdict
        if is_same and now_ns < self._due_ns - _NS_TOLERANCE:
            return False
        self._verdict = verdict
        # In step with the turns while it keeps up; after a pause they begin anew.
        is_in_step = now_ns - self._due_ns < self._period_ns
        self._due_ns = (self._due_ns if is_in_step else now_ns) + self._period_ns
        return True


class MjpegEndpoint:
    """``GET /streams/{name}/stream.mjpg``, as plain ASGI.

    Args:
        streams: Where the feeds are.
        dialect: How it is asked for.
    """

    def __init__(self, streams: Streams, dialect: Dialect = OURS) -> None:
        self._streams = streams
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send pictures until the viewer leaves or the stream is gone."""
        request = Request(scope)
        feed = find_feed(self._streams, self._dialect.name_in(request))
        self._dialect.check_query(request, known=("fps",))
        pace = Pace(parse_fps(request))
        await send(
            {"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS}
        )
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        transport = scope["ooblexd.transport"]
        # A part that the socket has not taken whole holds back the next one: without
        # this, 64 KiB of small pictures would grow old in the transport's buffer.
        transport.set_write_buffer_limits(high=0)
        with feed.joined(transport) as viewer:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
                await _send_pictures(viewer, pace, send)
                tasks.cancel_scope.cancel()


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _send_pictures(viewer: Viewer, pace: Pace, send: Send) -> None:
    await _send(send, _BOUNDARY)
    while await viewer.picture() is not None:
        await _wait_for_room(viewer, send)
        picture = await viewer.picture()  # the newest by now; does not wait
        if picture is None:
            break
        viewer.take(picture)
        now_ns = monotonic_ns()
        # Decided and written without a pause between: the socket has room.
        if viewer.may_show(picture) and pace.admits(picture.header.verdict, now_ns):
            await _send(send, format_part(picture, now_ns))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_for_room(viewer: Viewer, send: Send) -> None:
    """Wait until the socket has taken all before; an empty send waits for just that."""
    viewer.blocked_since_ns = monotonic_ns()
    await _send(send, b"")
    viewer.blocked_since_ns = 0


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


class SnapshotEndpoint:
    """``GET /streams/{name}/snapshot.jpg``.

    Args:
        streams: Where the feeds are.
        dialect: How it is asked for.
    """

    def __init__(self, streams: Streams, dialect: Dialect = OURS) -> None:
        self._streams = streams
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a picture that was encoded after the question, or say why not."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        feed = find_feed(self._streams, self._dialect.name_in(request))
        self._dialect.check_query(request)
        picture = await feed.picture_after(monotonic_ns(), SNAPSHOT_WITHIN_S)
        now_ns = monotonic_ns()
        if picture is None or picture.header.verdict == Verdict.SLATE:
            raise self._no_picture(feed, now_ns)
        headers = {"Cache-Control": "no-store", **ledger_headers(picture, now_ns)}
        return Response(picture.jpeg, headers=headers, media_type="image/jpeg")

    def _no_picture(self, feed: Feed, now_ns: int) -> ProblemError:
        verdict = self._streams.judge(feed.name)
        age_ns = feed.pages.last_frame_age_ns(now_ns) if feed.pages else None
        reason = verdict.reason or f"no picture within {SNAPSHOT_WITHIN_S:g} s"
        members = {
            "state": verdict.state.value,
            "reason": reason,
            "last_frame_age_ms": None if age_ns is None else age_ns // NS_PER_MS,
        }
        since = "" if age_ns is None else f"; last frame {age_ns / NS_PER_S:.1f} s ago"
        return ProblemError(
            503, f"{feed.name} has no picture: {reason}{since}", **members
        )


def find_feed(streams: Streams, name: str) -> Feed:
    """Return the feed of the stream ``name``.

    Raises:
        ProblemError: 404 where there is none, 503 where it is switched off.
    """
    feed = streams.feed(name)
    if feed is None:
        raise ProblemError(404, f"there is no stream {name}")
    verdict = streams.judge(name)
    if verdict.state == StreamState.STOPPED:
        raise ProblemError(503, f"{name} is switched off", reason="switched off")
    if verdict.state == StreamState.DOWN and not feed.has_ring:
        # Without memory there is nobody to make even a slate.
        raise ProblemError(503, f"{name}: {verdict.reason}", reason=verdict.reason)
    return feed


def parse_fps(request: Request) -> float:
    """Return ``?fps=``; 0 where there is none.

    Raises:
        ProblemError: 422 where it is not in its range.
    """
    text = request.query_params.get("fps")
    if text is None:
        return 0.0
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not MIN_FPS <= fps <= MAX_FPS:
        error = {
            "key": "fps",
            "detail": f"{text!r}, allowed {MIN_FPS:g} to {MAX_FPS:g}",
        }
        raise ProblemError(422, f"fps: {error['detail']}", errors=[error])
    return fps
