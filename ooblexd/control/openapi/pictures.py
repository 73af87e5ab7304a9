"""The operations of those who watch, and of those who send pictures."""

from __future__ import annotations

from ooblexd.control.intake import MAX_PICTURE_BYTES
from ooblexd.control.openapi.operation import Answer, Content, Operation, Parameter
from ooblexd.control.openapi.schemas import NAME
from ooblexd.control.openapi.streams import NO_STREAM, STREAM_NAME
from ooblexd.control.senders import MAX_SENDERS
from ooblexd.control.upload import TYPES
from ooblexd.control.viewers import MAX_FPS, MAX_WIDTH, MIN_FPS, MIN_WIDTH
from ooblexd.control.websocket_protocol import PING_EVERY_S, PONG_WITHIN_S
from ooblexd.renditions import MOST_RENDITIONS, QUALITY_STEP, WIDTH_STEP

LEDGER = ("X-Picture", "X-Sequence", "X-Capture-Time", "X-Frame-Age-Ms")

_FPS = Parameter(
    "fps",
    "query",
    "At most so many pictures a second; a change of what is shown always comes.",
    {"type": "number", "minimum": MIN_FPS, "maximum": MAX_FPS},
)
_SHARED = (
    f"Those who ask for the same share one encoding; {MOST_RENDITIONS} different ones "
    "of a stream can be had at a time."
)
_WIDTH = Parameter(
    "width",
    "query",
    f"Of the picture, rounded to {WIDTH_STEP} pixels; never enlarged. {_SHARED}",
    {"type": "number", "minimum": MIN_WIDTH, "maximum": MAX_WIDTH},
)
_QUALITY = Parameter(
    "quality",
    "query",
    f"Of the JPEG, rounded to {QUALITY_STEP}; without it the configured one. {_SHARED}",
    {"type": "number", "minimum": 1, "maximum": 100},
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
_SWITCHED_OFF = {
    503: "The stream is switched off, there is no memory for it, or it is wanted in "
    "too many forms already."
}
_NO_PICTURE = {
    503: "It has no picture; `reason` and `last_frame_age_ms` say why. Or it is wanted "
    "in too many forms already."
}

_WATCH = Parameter(
    "watch",
    "query",
    "`false` for who only sends: no picture comes back.",
    {"type": "boolean", "default": True},
)
_WEBSOCKET = f"""\
**Out**, each picture is one binary message: a header, then a JPEG. The header is little
endian: u8 version (1), u8 kind (1 live, 2 held, 3 covered, 4 slate), u16 bytes of the
header (32; skip what a later version adds), u32 flags (bit 0: a frame of the source is
shown, and the next three are its own; else they are 0), u64 sequence, u64 capture time
(unix microseconds), u32 age as it leaves (microseconds), u32 bytes of the JPEG. Who
reads slowly skips pictures; who reads nothing for 30 s is dropped.

**In**, for a stream whose source is `upload:`, each binary message is one JPEG, PNG or
WebP of at most {MAX_PICTURE_BYTES >> 20} MiB. Each is answered, in order, by a text
message of JSON: `picture`, its number within the connection from 1, and `status`, as
of `POST /streams/{{name}}/frame`: 202 taken; 415, 429, 503, 507 not, with `detail`, and
for 429 with `retry_after_ms`. The next one is read when the answer is on its way.

The daemon pings every {PING_EVERY_S:g} s and gives up {PONG_WITHIN_S:g} s later.
It closes with 1001 (the stream is gone), 1012 (the web server ends), 1003 (the stream
takes no pictures), 1009 (too large), 1013 ({MAX_SENDERS} others may send already), 1011
(no pong), each with a reason in words. An `Origin`, where there is one, must be this
daemon's, to look too.
"""

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
        parameters=(STREAM_NAME, _FPS, _WIDTH, _QUALITY),
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
        parameters=(STREAM_NAME, _WIDTH, _QUALITY),
        refusals={**NO_STREAM, **_UNKNOWN_KEY, **_NO_PICTURE},
    ),
    Operation(
        "watch_by_websocket",
        "GET",
        "/streams/{name}/ws",
        "Pictures",
        "Watch, or send, by WebSocket",
        {101: Answer("The connection is a WebSocket from now on (RFC 6455).")},
        description=_WEBSOCKET,
        parameters=(STREAM_NAME, _FPS, _WIDTH, _QUALITY, _WATCH),
        refusals={
            **NO_STREAM,
            **_UNKNOWN_KEY,
            426: "It does not ask to become a WebSocket.",
            **_SWITCHED_OFF,
        },
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
