"""The operations of those who watch by WebRTC."""

from __future__ import annotations

from ooblexd.control.openapi.operation import Answer, Content, Operation, Parameter
from ooblexd.control.openapi.streams import NO_STREAM, STREAM_NAME
from ooblexd.control.whep import FRAGMENT, MAX_SDP_BYTES, SDP

_PEER = Parameter(
    "peer", "path", "Of the session, out of its `Location`.", {"type": "string"}
)
_IF_MATCH = Parameter("If-Match", "header", "The session's `ETag`.", {"type": "string"})
_TEXT = {
    400: "It cannot be read.",
    408: "The body did not come in time.",
    413: f"The body is larger than {MAX_SDP_BYTES >> 10} KiB.",
    415: "The body is of another type.",
}
_NOBODY = {503: "The stream is switched off, or nobody is there to answer."}

WEBRTC = (
    Operation(
        "watch_by_webrtc",
        "POST",
        "/streams/{name}/whep",
        "Pictures",
        "Watch by WebRTC",
        {
            201: Answer(
                "The answer, with all its candidates.",
                Content(SDP, {"type": "string"}),
                ("Location", "ETag", "Accept-Patch"),
            )
        },
        description="WHEP. The offer wants to receive video; it gets H.264, or VP8 if "
        "it cannot have that. No STUN server is needed within a network.",
        parameters=(STREAM_NAME,),
        body=Content(SDP, {"type": "string"}),
        refusals={**NO_STREAM, **_TEXT, **_NOBODY},
    ),
    Operation(
        "trickle_candidates",
        "PATCH",
        "/streams/{name}/whep/{peer}",
        "Pictures",
        "Send further candidates",
        {204: Answer("They are taken.")},
        description="Trickle ICE (RFC 8840). A session cannot be restarted: end it and "
        "make another.",
        parameters=(STREAM_NAME, _PEER, _IF_MATCH),
        body=Content(FRAGMENT, {"type": "string"}),
        refusals={
            404: "There is no such stream, or session.",
            **_TEXT,
            412: "`If-Match` names another session.",
            **_NOBODY,
        },
    ),
    Operation(
        "end_session",
        "DELETE",
        "/streams/{name}/whep/{peer}",
        "Pictures",
        "Watch no more",
        {200: Answer("It is ended.")},
        parameters=(STREAM_NAME, _PEER),
        refusals={404: "There is no such stream, or session.", **_NOBODY},
    ),
)
