"""Step 6: single pictures, and what each of them says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from ooblexd.clock import NS_PER_MS, NS_PER_S, NS_PER_US, monotonic_ns, unix_us
from ooblexd.control.dialects import OURS
from ooblexd.control.problems import ProblemError
from ooblexd.control.readings import StreamState
from ooblexd.control.viewers import parse_rendition
from ooblexd.frame import Verdict
from ooblexd.renditions import AS_IT_IS

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from ooblexd.control.dialects import Dialect
    from ooblexd.control.encoded import EncodedPicture
    from ooblexd.control.feeds import Feed
    from ooblexd.control.streams import Streams

SNAPSHOT_WITHIN_S = 2.0


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
        self._dialect.check_query(request, known=("width", "quality"))
        wanted = AS_IT_IS if self._dialect.is_lenient else parse_rendition(request)
        with feed.rendered(wanted):
            asked_ns = monotonic_ns()
            picture = await feed.picture_after(asked_ns, SNAPSHOT_WITHIN_S, wanted)
        now_ns = monotonic_ns()
        if picture is None or picture.header.verdict == Verdict.SLATE:
            raise self._no_picture(feed, now_ns)
        headers = {"Cache-Control": "no-store", **ledger_headers(picture, now_ns)}
        jpeg = picture.jpeg_as(wanted)
        return Response(jpeg, headers=headers, media_type="image/jpeg")

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
