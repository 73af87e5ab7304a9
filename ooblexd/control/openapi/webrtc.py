"""The operations of those who watch, or publish, by WebRTC."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ooblexd.control.openapi.operation import (
    Answer,
    Content,
    Operation,
    Parameter,
    json_of,
)
from ooblexd.control.openapi.streams import NO_STREAM, STREAM_NAME
from ooblexd.control.sessions import FRAGMENT, MAX_SDP_BYTES, SDP

_PEER = Parameter(
    "peer", "path", "Of the session, out of its `Location`.", {"type": "string"}
)
_IF_MATCH = Parameter("If-Match", "header", "The session's `ETag`.", {"type": "string"})
_TOKEN = Parameter(
    "token",
    "query",
    "The stream's `publish_key`, where it has one and there is no `Authorization`.",
    {"type": "string"},
)
_TEXT = {
    400: "It cannot be read.",
    408: "The body did not come in time.",
    413: f"The body is larger than {MAX_SDP_BYTES >> 10} KiB.",
    415: "The body is of another type.",
}
_NOBODY = {503: "The stream is switched off, or nobody is there to answer."}
_NO_ANSWER = {503: "Nobody is there to answer."}
_NO_SESSION = {404: "There is no such stream, or session."}
_NOT_PUBLISHED_TO = {
    409: "The stream's source is not `whip:`, or it is switched off.",
}
_REPLACED = {410: "Another publisher has taken over."}


class _Words(NamedTuple):
    """How WHEP and WHIP differ.

    Attributes:
        ids: Of the three operations.
        step: The last of the path.
        summary: Of the first operation.
        end: Of the last one.
        description: Of the first.
        parameters: Of the first, beside the stream's name.
        refusals: Of the first, beside those of both.
        later: Of the others.
    """

    ids: tuple[str, str, str]
    step: str
    summary: str
    end: str
    description: str
    parameters: tuple[Parameter, ...]
    refusals: dict[int, str]
    later: dict[int, str]


def _operations(words: _Words) -> tuple[Operation, ...]:
    begin, trickle, end = words.ids
    path = f"/streams/{{name}}/{words.step}"
    session = f"{path}/{{peer}}"
    return (
        Operation(
            begin,
            "POST",
            path,
            "Pictures",
            words.summary,
            {
                201: Answer(
                    "The answer, with all its candidates.",
                    Content(SDP, {"type": "string"}),
                    ("Location", "ETag", "Accept-Patch", "Link"),
                )
            },
            description=words.description,
            parameters=(STREAM_NAME, *words.parameters),
            body=Content(SDP, {"type": "string"}),
            refusals={**NO_STREAM, **_TEXT, **words.refusals},
        ),
        Operation(
            trickle,
            "PATCH",
            session,
            "Pictures",
            "Send further candidates",
            {204: Answer("They are taken.")},
            description="Trickle ICE (RFC 8840). A session cannot be restarted: end it "
            "and make another.",
            parameters=(STREAM_NAME, _PEER, _IF_MATCH),
            body=Content(FRAGMENT, {"type": "string"}),
            refusals={
                **_NO_SESSION,
                **_TEXT,
                412: "`If-Match` names another session.",
                **words.later,
            },
        ),
        Operation(
            end,
            "DELETE",
            session,
            "Pictures",
            words.end,
            {200: Answer("It is ended.")},
            parameters=(STREAM_NAME, _PEER),
            refusals={**_NO_SESSION, **words.later},
        ),
    )


_WATCH = _Words(
    ids=("watch_by_webrtc", "trickle_candidates", "end_session"),
    step="whep",
    summary="Watch by WebRTC",
    end="Watch no more",
    description="WHEP. The offer wants to receive video; it gets H.264, or VP8 if it "
    "cannot have that. Within a network no STUN server is needed; those of `[webrtc]` "
    "are told by `Link` headers, and by `OPTIONS` beforehand.\n\n"
    "If the offer has a data channel, by any label, it brings a message of JSON for "
    "each picture: `sequence`, `capture_time`, `age_ms`, `picture` (`live`, `held`, "
    "`covered` or `slate`) and `detections`, what the effects have found in it: each "
    "with `label` (`face`), `score` (0 to 1), and `x`, `y`, `width` and `height` as "
    "shares of the picture, from its left and its top; the surest first, 64 at most. "
    "They are null where no effect looks for anything or the picture is not live. "
    '`{"every_ms": 500}` has it bring fewer. `{"effects": […], "id": 1}` changes the '
    "effects, where `webrtc.data_channel_control` is true, and is answered by `id`, "
    "`status` and `detail`.",
    parameters=(),
    refusals=_NOBODY,
    later=_NOBODY,
)
_PUBLISH = _Words(
    ids=("publish_by_webrtc", "trickle_publisher_candidates", "end_publishing"),
    step="whip",
    summary="Publish by WebRTC",
    end="Publish no more",
    description="WHIP (RFC 9725), for a stream whose source is `whip:`. The offer "
    "wants to send video, H.264 or VP8, and sound as Opus if it likes. Whoever "
    "comes while another publishes takes over, once the connection is there. A stream "
    "with a `publish_key` wants it as `Authorization: Bearer KEY`, or as `token`.",
    parameters=(_TOKEN,),
    refusals={
        401: "The stream has a `publish_key`, and this is not it.",
        **_NOT_PUBLISHED_TO,
        **_NO_ANSWER,
    },
    later={**_NOT_PUBLISHED_TO, **_REPLACED, **_NO_ANSWER},
)

_DIAGNOSE = Operation(
    "diagnose_webrtc",
    "GET",
    "/api/v1/webrtc/diagnose",
    "Daemon",
    "Say why a viewer by WebRTC would not connect",
    {200: Answer("What was looked at.", json_of("DiagnosisReport"))},
    description="Our addresses, what each configured STUN and TURN server answers, "
    "what viewers in other networks need, and which connections failed of late. It "
    "takes three seconds at most.",
)

_publish, _trickle, _end = _operations(_PUBLISH)
_WITH_SLASH = replace(
    _publish,
    operation_id="publish_by_webrtc_with_slash",
    path=f"{_publish.path}/",
    tag="Aliases",
    summary="Publish by WebRTC, with a slash at the end",
    alias_of=_publish.path,
)

WEBRTC = (
    *_operations(_WATCH),
    _publish,
    _trickle,
    _end,
    _WITH_SLASH,
    _DIAGNOSE,
)
