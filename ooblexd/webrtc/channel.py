"""What a viewer is told of each picture, and what it may say, by a data channel.

The viewer opens the channel, by any label, best unordered and without repeats: what
is late is of no use. It gets a message of JSON for each picture, right before that is
sent::

    {"sequence": 4711, "capture_time": "2027-01-02T03:04:05.678901Z",
     "age_ms": 12.3, "picture": "live",
     "detections": [{"label": "face", "score": 0.54, "x": 0.4219, "y": 0.2014,
                     "width": 0.0703, "height": 0.125}]}

``picture`` is ``live``, ``held``, ``covered`` or ``slate``; the others are null where
no frame of the source is shown. ``detections`` are what the effects have found in this
very picture, the surest first, 64 at most; places are shares of the picture, from its
left and its top. The list is empty where they found nothing, and null where nothing
looks, or where the picture is not live. Who does not want each message says
``{"every_ms": 500}``. Nothing is kept for whoever does not take it: a message that
would have to wait is left out.

``{"effects": […], "id": 1}`` asks for another chain of effects, where
``webrtc.data_channel_control`` allows it, and is answered ``{"id": 1, "status": 202,
"detail": ""}``, with the status that HTTP would have.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ooblexd.clock import NS_PER_MS, monotonic_ns, unix_us
from ooblexd.detection import unpack_detections
from ooblexd.frame import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCDataChannel

    from ooblexd.detection import Detection
    from ooblexd.frame import FrameHeader

MOST_MESSAGE_BYTES = 16_384
# Some twenty messages, of a viewer that takes none; a longer one may wait alone.
_MOST_WAITING_BYTES = 2048
_PLACE_DIGITS = 4  # less than half a pixel of 4K
_SCORE_DIGITS = 2
_MOST_EVERY_MS = 60_000
_US_PER_S = 1_000_000


class PictureChannel:
    """The data channel of one viewer; nothing happens before it opens one.

    Args:
        on_wish: Called with a request for another chain, as it came.
    """

    def __init__(self, on_wish: Callable[[str], None]) -> None:
        self._on_wish = on_wish
        self._channel: RTCDataChannel | None = None
        self._every_ns = 0
        self._told_ns = 0
        self._has_asked = False

    def take(self, channel: RTCDataChannel) -> None:
        """Use the channel that the viewer has opened; further ones are closed."""
        if self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._hear)

    def tell(self, header: FrameHeader) -> None:
        """Say which picture is sent now."""
        if self._channel is None:
            return
        now_ns = monotonic_ns()
        if now_ns - self._told_ns < self._every_ns:
            return
        if self._say(describe(header, now_ns)):
            self._told_ns = now_ns

    def answer(self, answer: str) -> None:
        """Say what has become of the viewer's wish."""
        self._has_asked = False
        self._say(answer)

    def _say(self, message: str) -> bool:
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return False
        waiting = channel.bufferedAmount
        if waiting and waiting + len(message) > _MOST_WAITING_BYTES:
            return False
        channel.send(message)
        return True

    def _hear(self, message: str | bytes) -> None:
        said = _read(message)
        if said is None:
            self._refuse(None, 400, "a message is a JSON object, at most 16 KiB of it")
        elif "effects" in said:
            self._wish(message, said)
        elif "every_ms" in said:
            self._set_pace(said)
        else:
            self._refuse(said, 400, "known are every_ms, and effects with an id")

    def _set_pace(self, said: dict[str, Any]) -> None:
        every_ms = said["every_ms"]
        is_number = isinstance(every_ms, int) and not isinstance(every_ms, bool)
        if is_number and 0 <= every_ms <= _MOST_EVERY_MS:
            self._every_ns = every_ms * NS_PER_MS
        else:
            self._refuse(said, 422, f"every_ms: allowed 0 to {_MOST_EVERY_MS}")

    def _wish(self, message: str | bytes, said: dict[str, Any]) -> None:
        if self._has_asked:
            self._refuse(said, 429, "the change before it is not made yet")
            return
        self._has_asked = True
        self._on_wish(message if isinstance(message, str) else message.decode())

    def _refuse(self, said: dict[str, Any] | None, status: int, detail: str) -> None:
        self._say(format_answer((said or {}).get("id"), status, detail))


def describe(header: FrameHeader, now_ns: int) -> str:
    """Return what a viewer is told of a picture."""
    told: dict[str, object] = dict.fromkeys(("sequence", "capture_time", "age_ms"))
    if header.verdict != Verdict.SLATE and header.capture_ns:
        told["sequence"] = header.sequence
        told["capture_time"] = _rfc3339(unix_us(header.capture_ns))
        told["age_ms"] = round(max(now_ns - header.capture_ns, 0) / NS_PER_MS, 1)
    told["picture"] = header.verdict.name.lower()
    is_told = header.verdict == Verdict.LIVE and header.detections is not None
    found = unpack_detections(header.detections or b"")
    told["detections"] = [_described(one) for one in found] if is_told else None
    return json.dumps(told, separators=(",", ":"))


def _described(one: Detection) -> dict[str, object]:
    return {
        "label": one.label.name.lower(),
        "score": round(one.score, _SCORE_DIGITS),
        "x": round(one.x, _PLACE_DIGITS),
        "y": round(one.y, _PLACE_DIGITS),
        "width": round(one.width, _PLACE_DIGITS),
        "height": round(one.height, _PLACE_DIGITS),
    }


def format_answer(wish: object, status: int, detail: str) -> str:
    """Return what a viewer is told of a wish."""
    known = wish if isinstance(wish, (int, str)) else None
    return json.dumps({"id": known, "status": status, "detail": detail})


def _read(message: str | bytes) -> dict[str, Any] | None:
    if len(message) > MOST_MESSAGE_BYTES:
        return None
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _rfc3339(at_us: int) -> str:
    seconds, microseconds = divmod(at_us, _US_PER_S)
    at = datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=microseconds)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
