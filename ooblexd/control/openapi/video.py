"""The operations of players and recorders, which take H.264 in a container."""

from __future__ import annotations

from ooblexd.control.hls.endpoint import BEGIN_WITHIN_S, PLAYLIST, VIDEO
from ooblexd.control.openapi.operation import Answer, Content, Operation, Parameter
from ooblexd.control.openapi.streams import NO_STREAM, STREAM_NAME

_FILE = Parameter("file", "path", "As a playlist names it.", {"type": "string"})
_NUMBER = {"type": "integer", "minimum": 0}
_MSN = Parameter(
    "_HLS_msn", "query", "Answer once the playlist has this segment.", _NUMBER
)
_PART = Parameter("_HLS_part", "query", "Or once it has this part of it.", _NUMBER)
_SESSION = Parameter(
    "session",
    "query",
    "By which a player is counted; `index.m3u8` gives each its own. Without it an "
    "address is a player.",
    {"type": "string"},
)
_ENDLESS = "H.264, for as long as the connection lasts."
_ONE_AFTER_ANOTHER = (
    "Begins with a keyframe. Who is too slow misses pictures up to a keyframe, and who "
    "takes nothing for half a minute is let go. "
)
_SOUND = (
    "Where the stream has sound that may be heard when the first picture is sent, that "
    "is the second track, AAC. "
)
_SWITCHED_OFF = {503: "The stream is switched off, or there is no memory for it."}
_NOTHING = {503: "The stream is switched off, or has no picture yet."}
_UNKNOWN_KEY = {422: "A parameter of the query is unknown."}

VIDEO_OPERATIONS = (
    Operation(
        "watch_by_hls",
        "GET",
        "/streams/{name}/hls/index.m3u8",
        "Pictures",
        "Watch by HLS",
        {200: Answer("What it takes to play, and where.", Content(PLAYLIST))},
        description="Low-latency HLS with fMP4; players begin here. Where the stream "
        "has sound that may be heard it is a rendition of its own, AAC. Waits up to "
        f"{BEGIN_WITHIN_S:g} s for the first pictures, and lasts while somebody asks.",
        parameters=(STREAM_NAME,),
        refusals={**NO_STREAM, **_NOTHING},
    ),
    Operation(
        "read_hls_playlist",
        "GET",
        "/streams/{name}/hls/live.m3u8",
        "Pictures",
        "Read the playlist of parts",
        {200: Answer("What there is to play.", Content(PLAYLIST))},
        description="With blocking reload, as HLS has it.",
        parameters=(STREAM_NAME, _SESSION, _MSN, _PART),
        refusals={
            **NO_STREAM,
            400: "`_HLS_msn` or `_HLS_part` make no sense.",
            **_NOTHING,
        },
    ),
    Operation(
        "read_hls_sound_playlist",
        "GET",
        "/streams/{name}/hls/sound.m3u8",
        "Pictures",
        "Read the playlist of sound",
        {200: Answer("What there is to hear.", Content(PLAYLIST))},
        description="Where index.m3u8 names it; as that of parts. What is missing, or "
        "may not be heard, is silent.",
        parameters=(STREAM_NAME, _MSN, _PART),
        refusals={
            **NO_STREAM,
            400: "`_HLS_msn` or `_HLS_part` make no sense.",
            **_NOTHING,
        },
    ),
    Operation(
        "fetch_hls_file",
        "GET",
        "/streams/{name}/hls/{file}",
        "Pictures",
        "Fetch a segment or a part",
        {200: Answer("Pictures, or what comes before them.", Content(VIDEO))},
        description="What does not satisfy the required revision any more is not "
        "served from that moment on. A part that comes next is waited for.",
        parameters=(STREAM_NAME, _FILE),
        refusals={
            404: "There is no such stream, or file, yet.",
            410: "It is too old, or may not be shown any more.",
            **_SWITCHED_OFF,
        },
    ),
    Operation(
        "pull_mpeg_ts",
        "GET",
        "/streams/{name}/stream.ts",
        "Pictures",
        "Pull MPEG-TS",
        {200: Answer(_ENDLESS, Content("video/mp2t"))},
        description=_ONE_AFTER_ANOTHER + _SOUND + "The size of the picture may change.",
        parameters=(STREAM_NAME,),
        refusals={**NO_STREAM, **_UNKNOWN_KEY, **_SWITCHED_OFF},
    ),
    Operation(
        "pull_mp4",
        "GET",
        "/streams/{name}/stream.mp4",
        "Pictures",
        "Pull MP4",
        {200: Answer(_ENDLESS, Content(VIDEO))},
        description=_ONE_AFTER_ANOTHER
        + _SOUND
        + "Fragmented, a fragment a picture. It ends when its size changes.",
        parameters=(STREAM_NAME,),
        refusals={**NO_STREAM, **_UNKNOWN_KEY, **_SWITCHED_OFF},
    ),
)
