"""The operations of those who watch, and of those who send pictures."""

from __future__ import annotations

from ooblexd.control.intake import MAX_PICTURE_BYTES
from ooblexd.control.mjpeg import MAX_FPS, MIN_FPS
from ooblexd.control.openapi.operation import Answer, Content, Operation, Parameter
from ooblexd.control.openapi.schemas import NAME
from ooblexd.control.openapi.streams import NO_STREAM, STREAM_NAME
from ooblexd.control.upload import TYPES

LEDGER = ("X-Picture", "X-Sequence", "X-Capture-Time", "X-Frame-Age-Ms")

_FPS = Parameter(
    "fps",
    "query",
    "At most so many pictures a second; a change of what is shown always comes.",
    {"type": "number", "minimum": MIN_FPS, "maximum": MAX_FPS},
)
_SRC = Parameter("src", "query", "Name of the stream.", NAME, is_required=True)
_LENIENT = "Whatever else is in the query (`h`, `width`, `cache` …) is passed over."
_NO_SRC = {422: "`src` is missing, or `fps` not in its range."}
_MJPEG = Answer(
    "Pictures, for as long as the connection lasts.",
    Content("multipart/x-mixed-replace"),
)
_SNAPSHOT = Answer("The newest picture.", Content("image/jpeg"), LEDGER)
_UNKNOWN_KEY = {422: "A parameter of the query is unknown, or not in its range."}
_SWITCHED_OFF = {503: "The stream is switched off, or there is no memory for it."}
_NO_PICTURE = {503: "It has no picture; `reason` and `last_frame_age_ms` say why."}

PICTURES = (
    Operation(
        "watch",
        "GET",
        "/streams/{name}/stream.mjpg",
        "Pictures",
        "Watch a stream",
        {200: _MJPEG},
        description="MJPEG without end. Each part carries `X-Picture` and, but for a "
        "slate, `X-Sequence`, `X-Capture-Time` and `X-Frame-Age-Ms` of the source's "
        "frame. A slow viewer skips pictures. A stream that is down shows its slate "
        "once a second.",
        parameters=(STREAM_NAME, _FPS),
        refusals={**NO_STREAM, **_UNKNOWN_KEY, **_SWITCHED_OFF},
    ),
    Operation(
        "take_snapshot",
        "GET",
        "/streams/{name}/snapshot.jpg",
        "Pictures",
        "Take a snapshot",
        {200: _SNAPSHOT},
        description="A picture encoded after the question, never an old one.",
        parameters=(STREAM_NAME,),
        refusals={**NO_STREAM, **_UNKNOWN_KEY, **_NO_PICTURE},
    ),
    Operation(
        "send_picture",
        "POST",
        "/streams/{name}/frame",
        "Pictures",
        "Send a picture",
        {202: Answer("It is taken; a newer one may yet pass it over.")},
        description="A file in, for a stream whose source is `upload:`. Whether it can "
        "be shown is found out later; the stream's `reason` tells what could not.",
        parameters=(STREAM_NAME,),
        body=Content(TYPES[0], also=TYPES[1:]),
        refusals={
            **NO_STREAM,
            408: "It did not come in time.",
            409: "The stream takes no pictures, or is switched off.",
            413: f"It is larger than {MAX_PICTURE_BYTES >> 20} MiB.",
            415: "It is no JPEG, PNG or WebP, by its type or by its bytes.",
            429: "More than `max_fps`, or too much at once; see `Retry-After`.",
            503: "Nobody is there to decode it at this moment.",
            507: "There is too little shared memory for it.",
        },
    ),
    Operation(
        "watch_as_go2rtc",
        "GET",
        "/api/stream.mjpeg",
        "Aliases",
        "Watch, as go2rtc has it",
        {200: _MJPEG},
        parameters=(_SRC, _FPS),
        refusals={**NO_STREAM, **_NO_SRC, **_SWITCHED_OFF},
        description=_LENIENT,
        alias_of="/streams/{name}/stream.mjpg",
    ),
    Operation(
        "take_snapshot_as_go2rtc",
        "GET",
        "/api/frame.jpeg",
        "Aliases",
        "Take a snapshot, as go2rtc has it",
        {200: _SNAPSHOT},
        parameters=(_SRC,),
        refusals={**NO_STREAM, **_NO_SRC, **_NO_PICTURE},
        description=_LENIENT,
        alias_of="/streams/{name}/snapshot.jpg",
    ),
    Operation(
        "take_snapshot_as_frigate",
        "GET",
        "/api/{name}/latest.jpg",
        "Aliases",
        "Take a snapshot, as Frigate has it",
        {200: _SNAPSHOT},
        parameters=(STREAM_NAME,),
        refusals={**NO_STREAM, **_NO_PICTURE},
        description=_LENIENT,
        alias_of="/streams/{name}/snapshot.jpg",
    ),
)
