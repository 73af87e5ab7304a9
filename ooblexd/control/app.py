"""The application: every path that there is, and nothing that is not yet."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from ooblexd.commands import send
from ooblexd.control.catalogue import list_effects, list_engines
from ooblexd.control.config_api import ConfigApi
from ooblexd.control.description import Description
from ooblexd.control.diagnose import DiagnoseApi
from ooblexd.control.dialects import FRIGATE, GO2RTC
from ooblexd.control.gate import Gate
from ooblexd.control.health import Health, HealthReport
from ooblexd.control.hls.endpoint import Hls, HlsFiles
from ooblexd.control.metrics import CONTENT_TYPE, BoardCollector, format_metrics
from ooblexd.control.mjpeg import MjpegEndpoint
from ooblexd.control.page import Page
from ooblexd.control.peer_wishes import PeerWishes
from ooblexd.control.pictures import SnapshotEndpoint
from ooblexd.control.probe import ProbeApi
from ooblexd.control.problems import (
    ProblemError,
    answer_http_error,
    answer_problem,
)
from ooblexd.control.pull import MP4, MPEG_TS, PullEndpoint
from ooblexd.control.requests import RequestCounts
from ooblexd.control.streams_api import StreamsApi
from ooblexd.control.upload import FrameEndpoint
from ooblexd.control.websocket import WebSocketEndpoint, ask_for_upgrade
from ooblexd.control.whep import WhepApi
from ooblexd.control.whip import WhipApi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from ooblexd.control import ControlContext
    from ooblexd.control.changes import Changes
    from ooblexd.control.configuration import Configuration
    from ooblexd.control.streams import Streams

_NO_STORE = {"Cache-Control": "no-store"}


class _Daemon:
    """What is asked of the daemon as a whole."""

    def __init__(
        self, context: ControlContext, streams: Streams, configuration: Configuration
    ) -> None:
        self._health = HealthReport(streams, configuration)
        self._engine = context.plan.engine

    async def health(self, _request: Request) -> Response:
        document = self._health.document()
        status = 503 if document.status == Health.UNHEALTHY else 200
        return JSONResponse(asdict(document), status, _NO_STORE)

    async def alive(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_NO_STORE)

    async def effects(self, _request: Request) -> Response:
        items = [asdict(kind) for kind in await asyncio.to_thread(list_effects)]
        return JSONResponse({"items": items, "next": None}, 200, _NO_STORE)

    async def engines(self, _request: Request) -> Response:
        items = [asdict(engine) for engine in list_engines(self._engine)]
        return JSONResponse({"items": items, "next": None}, 200, _NO_STORE)


def build_app(
    context: ControlContext,
    streams: Streams,
    changes: Changes,
    configuration: Configuration,
) -> Starlette:
    """Return the application of the control worker.

    A route is described by its `openapi.operation.Operation`; a test misses it else.

    Args:
        context: What control was started with.
        streams: What there is to show.
        changes: How it is changed.
        configuration: Which one runs.
    """
    daemon, page = _Daemon(context, streams, configuration), Page(lambda: streams.names)
    config = ConfigApi(configuration, streams, changes)
    api, link = StreamsApi(streams, changes), changes.link
    whep = WhepApi(streams, link, configuration)
    whip = WhipApi(streams, link, configuration)
    link.on_peer_wish = PeerWishes(configuration, streams, changes).take
    diagnose = DiagnoseApi(configuration, streams, link)
    hls = Hls(streams)
    ask = partial(send, context.commands)
    routes = [
        Route("/", page.index),
        Route("/docs", page.docs),
        Route("/watch/{name}", page.watch),
        Route("/publish/{name}", page.publish),
        Route("/static/{file}", page.file),
        Route("/health", daemon.health),
        Route("/readyz", partial(daemon.health)),  # counted apart from /health
        Route("/healthz", daemon.alive),
        Route("/api/v1/config", config.resource, methods=["GET", "PATCH"]),
        Route("/api/v1/streams", api.collection, methods=["GET", "POST"]),
        Route("/api/v1/streams/{name}", api.member, methods=["GET", "PATCH", "DELETE"]),
        Route("/api/v1/streams/{name}/effects", api.effects, methods=["PUT"]),
        Route("/api/v1/probe", ProbeApi().answer, methods=["POST"]),
        Route("/api/v1/webrtc/diagnose", diagnose.answer),
        Route("/api/v1/effects", daemon.effects),
        Route("/api/v1/engines", daemon.engines),
        Route("/streams/{name}/stream.mjpg", MjpegEndpoint(streams), methods=["GET"]),
        Route(
            "/streams/{name}/snapshot.jpg", SnapshotEndpoint(streams), methods=["GET"]
        ),
        Route("/streams/{name}/hls/index.m3u8", hls.index),
        Route("/streams/{name}/hls/live.m3u8", hls.live),
        Route("/streams/{name}/hls/sound.m3u8", hls.sound),
        Route("/streams/{name}/hls/{file}", HlsFiles(hls), methods=["GET"]),
        Route(
            "/streams/{name}/stream.mp4", PullEndpoint(streams, MP4), methods=["GET"]
        ),
        Route(
            "/streams/{name}/stream.ts", PullEndpoint(streams, MPEG_TS), methods=["GET"]
        ),
        Route("/streams/{name}/whep", whep.offer, methods=["POST", "OPTIONS"]),
        Route("/streams/{name}/whep/{peer}", whep.session, methods=["PATCH", "DELETE"]),
        Route("/streams/{name}/whip", whip.offer, methods=["OPTIONS", "POST"]),
        Route("/streams/{name}/whip/{peer}", whip.session, methods=["PATCH", "DELETE"]),
        Route("/streams/{name}/ws", ask_for_upgrade),
        Route("/streams/{name}/frame", FrameEndpoint(streams, ask), methods=["POST"]),
    ]
    routes += _aliases(streams, whip)
    sockets = [WebSocketRoute("/streams/{name}/ws", WebSocketEndpoint(streams, ask))]
    return _assemble(context, streams, configuration, routes, sockets)


def _aliases(streams: Streams, whip: WhipApi) -> list[Route]:
    """Return the paths that clients of go2rtc and Frigate, or of OBS, type."""
    stream, frame = MjpegEndpoint(streams, GO2RTC), SnapshotEndpoint(streams, GO2RTC)
    latest = SnapshotEndpoint(streams, FRIGATE)
    return [
        Route("/api/stream.mjpeg", stream, methods=["GET"]),
        Route("/api/frame.jpeg", frame, methods=["GET"]),
        Route("/api/{name}/latest.jpg", latest, methods=["GET"]),
        # Broadcasters' addresses are often pasted with a slash at their end.
        Route(
            "/streams/{name}/whip/", partial(whip.offer), methods=["OPTIONS", "POST"]
        ),
    ]


def _assemble(
    context: ControlContext,
    streams: Streams,
    configuration: Configuration,
    routes: Sequence[Route],
    sockets: Sequence[WebSocketRoute],
) -> Starlette:
    description = Route("/openapi.json", Description().answer)
    paths = [*(route.path for route in routes), "/metrics", description.path]
    counts = RequestCounts(context.board.page(context.page), paths)
    collector = BoardCollector(context.board, streams, counts)

    async def metrics(_request: Request) -> Response:
        content = format_metrics(collector)
        return Response(content, 200, _NO_STORE, media_type=CONTENT_TYPE)

    all_routes: list[Route | WebSocketRoute] = [
        *routes,
        Route("/metrics", metrics),
        description,
        *sockets,
    ]
    gate = Middleware(
        Gate,
        counts=counts,
        paths={route.endpoint: route.path for route in all_routes},
        configuration=configuration,
    )
    app = Starlette(
        routes=all_routes,
        middleware=[gate],
        exception_handlers={
            HTTPException: answer_http_error,
            ProblemError: answer_problem,
        },
    )
    app.router.redirect_slashes = False
    app.router.default = _find_nothing
    return app


async def _find_nothing(scope: Scope, _receive: Receive, _send: Send) -> None:
    if scope["type"] == "websocket":
        detail = "no WebSocket is spoken here; try /streams/NAME/ws"
        raise ProblemError(404, detail)
    raise HTTPException(404)
