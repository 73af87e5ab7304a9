"""What a viewer is told of its pictures, and that nothing waits for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.detection import MOST_DETECTIONS, Detection, Label, pack_detections
from ooblexd.frame import FrameHeader, Verdict
from ooblexd.webrtc.channel import MOST_MESSAGE_BYTES, PictureChannel, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCDataChannel


@dataclass
class Line:
    """A data channel of which the other end takes nothing."""

    sent: list[str] = field(default_factory=list)
    readyState: str = "open"  # noqa: N815 # aiortc's name
    is_closed: bool = False
    hear: Callable[[str], None] = print

    @property
    def bufferedAmount(self) -> int:  # noqa: N802 # aiortc's name
        return sum(map(len, self.sent))

    def on(self, _: str, hear: Callable[[str], None]) -> None:
        self.hear = hear

    def send(self, message: str) -> None:
        self.sent.append(message)

    def close(self) -> None:
        self.is_closed = True

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.sent]


def opened(wishes: list[str] | None = None) -> tuple[PictureChannel, Line]:
    heard: list[str] = [] if wishes is None else wishes
    channel, line = PictureChannel(heard.append), Line()
    channel.take(cast("RTCDataChannel", line))
    return channel, line


def picture(number: int = 7, verdict: Verdict = Verdict.LIVE) -> FrameHeader:
    captured_ns = monotonic_ns() - 20 * NS_PER_MS
    return FrameHeader(number, 64, 36, capture_ns=captured_ns, verdict=verdict)


def test_who_takes_nothing_is_told_no_more() -> None:
    channel, line = opened()

    for number in range(1000):
        channel.tell(picture(number))

    assert 5 < len(line.sent) < 50
    assert [told["sequence"] for told in line.said] == list(range(len(line.sent)))


def test_a_picture_is_described_and_a_slate_has_no_age() -> None:
    header = picture(4711, Verdict.HELD)
    told = json.loads(describe(header, header.capture_ns + NS_PER_S // 2))
    slate = json.loads(describe(picture(verdict=Verdict.SLATE), monotonic_ns()))

    assert (told["sequence"], told["age_ms"], told["picture"]) == (4711, 500.0, "held")
    assert told["capture_time"].endswith("Z")
    assert slate == {
        **dict.fromkeys(("sequence", "capture_time", "age_ms", "detections")),
        "picture": "slate",
    }


def test_what_was_found_in_a_picture_is_told_with_it_alone() -> None:
    found = (Detection(Label.FACE, 0.9, 0.1, 0.2, 0.3, 0.4),)
    packed = pack_detections(found)

    def told(header: FrameHeader, packed: bytes | None) -> Any:
        said = describe(replace(header, detections=packed), monotonic_ns())
        return json.loads(said)["detections"]

    assert told(picture(), packed) == [
        {"label": "face", "score": 0.9, "x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4}
    ]
    assert told(picture(), b"") == []
    assert told(picture(), None) is None
    assert told(picture(verdict=Verdict.HELD), packed) is None
    assert told(picture(verdict=Verdict.COVERED), packed) is None


def test_a_picture_full_of_faces_is_told_and_no_more_wait() -> None:
    found = (
        Detection(Label.FACE, 1 / 3, 1 / 3, 1 / 7, 1 / 9, 1 / 9),
    ) * MOST_DETECTIONS
    channel, line = opened()

    for number in range(3):
        channel.tell(replace(picture(number), detections=pack_detections(found)))

    assert [len(told["detections"]) for told in line.said] == [MOST_DETECTIONS]
    assert len(line.sent[0]) < MOST_MESSAGE_BYTES


def test_a_viewer_may_want_it_less_often() -> None:
    channel, line = opened()
    line.hear(json.dumps({"every_ms": 60_000}))

    for _ in range(5):
        channel.tell(picture())

    assert len(line.sent) == 1


def test_a_second_channel_is_closed() -> None:
    channel, line = opened()
    another = Line()

    channel.take(cast("RTCDataChannel", another))
    channel.tell(picture())

    assert another.is_closed
    assert not another.sent
    assert len(line.sent) == 1


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("", 400),
        ("[]", 400),
        ("[" * 9000, 400),
        (json.dumps({"effects": ["x" * MOST_MESSAGE_BYTES]}), 400),
        ('{"id": 5}', 400),
        ('{"every_ms": true, "id": 5}', 422),
        ('{"every_ms": -1, "id": 5}', 422),
    ],
)
def test_what_it_does_not_know_is_refused(message: str, status: int) -> None:
    wishes: list[str] = []
    _, line = opened(wishes)

    line.hear(message)

    assert [told["status"] for told in line.said] == [status]
    assert line.said[0]["id"] == (5 if "id" in message else None)
    assert not wishes


def test_a_viewer_wishes_one_thing_at_a_time() -> None:
    wishes: list[str] = []
    channel, line = opened(wishes)
    wish = json.dumps({"effects": [], "id": 1})

    line.hear(wish)
    line.hear(wish)
    channel.answer("{}")
    line.hear(wish)

    assert wishes == [wish, wish]
    assert [told.get("status") for told in line.said] == [429, None]
