"""The source of what clients send: silence is no fault of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.errors import (
    BadPictureError,
    SourceUnavailableError,
    SourceWaitingError,
)
from ooblexd.sources import Picture, Source, SourceOptions, open_source
from ooblexd.sources.upload import _REPEAT_AFTER_NS, Upload
from tests.support.stills import coloured, still

GOOD = still("jpeg", coloured(64, 48))


@dataclass
class TimedInbox:
    """An `Inbox` whose clock moves only while somebody waits."""

    now_ns: int = 100 * NS_PER_S
    uploads: deque[bytes] = field(default_factory=deque)

    def take(self, within_s: float) -> Upload | None:
        if self.uploads:
            return Upload(self.uploads.popleft(), self.now_ns)
        self.now_ns += round(within_s * NS_PER_S)
        return None


@pytest.fixture
def inbox() -> TimedInbox:
    return TimedInbox()


@pytest.fixture
def source(inbox: TimedInbox) -> Source:
    options = SourceOptions(inbox=inbox, now_ns=lambda: inbox.now_ns)
    return open_source("upload:", options)


def waiting_reason(source: Source) -> str:
    with pytest.raises(SourceWaitingError) as caught:
        source.read()
    return caught.value.reason


def test_a_new_source_says_at_once_that_it_waits(
    source: Source, inbox: TimedInbox
) -> None:
    assert waiting_reason(source) == "no picture has been sent yet"
    assert inbox.now_ns == 100 * NS_PER_S


def given_until_the_wait(source: Source) -> list[Picture]:
    """Return all pictures that are given again before the source waits."""
    given: list[Picture] = []
    with pytest.raises(SourceWaitingError, match="nobody sends pictures at present"):
        given.extend(iter(source.read, None))
    return given


def test_a_picture_is_given_as_it_comes(source: Source, inbox: TimedInbox) -> None:
    waiting_reason(source)
    inbox.uploads.append(GOOD)

    picture = source.read()

    assert (picture.width, picture.height) == (64, 48)
    assert picture.capture_ns == inbox.now_ns


def test_a_silence_of_three_seconds_is_a_wait(
    source: Source, inbox: TimedInbox
) -> None:
    waiting_reason(source)
    inbox.uploads.extend([GOOD, GOOD])
    source.read()
    source.read()
    before_ns = inbox.now_ns

    given_until_the_wait(source)
    assert inbox.now_ns - before_ns == 3 * NS_PER_S


def test_what_cannot_be_shown_is_said_by_who_waits(
    source: Source, inbox: TimedInbox
) -> None:
    waiting_reason(source)
    inbox.uploads.append(b"\xff\xd8\xff\xe0\0\4ab no picture")

    with pytest.raises(BadPictureError):
        source.read()

    assert waiting_reason(source) == (
        "the last picture sent cannot be shown: it is a damaged JPEG"
    )


def test_a_lone_picture_is_given_until_effects_are_warm_and_rings_have_grown(
    source: Source, inbox: TimedInbox
) -> None:
    waiting_reason(source)
    inbox.uploads.append(GOOD)
    first = source.read()
    before_ns = inbox.now_ns

    again = [source.read() for _ in range(8)]

    assert inbox.now_ns - before_ns < NS_PER_S, "after a second it is too old"
    again += given_until_the_wait(source)
    assert all(picture is first for picture in again)
    assert inbox.now_ns - before_ns == 3 * NS_PER_S


def test_a_picture_is_not_given_again_once_there_is_a_newer_one(
    source: Source, inbox: TimedInbox
) -> None:
    waiting_reason(source)
    inbox.uploads.extend([GOOD, GOOD])
    first, second = source.read(), source.read()

    again = given_until_the_wait(source)
    assert all(picture is second for picture in again)
    assert first not in again


def test_a_stream_of_pictures_is_not_repeated_for_ever(
    source: Source, inbox: TimedInbox
) -> None:
    waiting_reason(source)
    inbox.uploads.append(GOOD)
    source.read()
    for _ in _REPEAT_AFTER_NS:
        source.read()  # given again
        inbox.uploads.append(GOOD)
        source.read()

    assert given_until_the_wait(source) == []


def test_damage_between_good_pictures_is_no_wait(
    source: Source, inbox: TimedInbox
) -> None:
    waiting_reason(source)
    inbox.uploads.extend([GOOD, GOOD[:300], GOOD])
    source.read()

    with pytest.raises(BadPictureError):
        source.read()

    assert source.read().width == 64


def test_damage_alone_does_not_put_off_the_wait(
    source: Source, inbox: TimedInbox
) -> None:
    waiting_reason(source)
    inbox.uploads.extend([GOOD, GOOD])
    source.read()
    source.read()
    inbox.now_ns += 4 * NS_PER_S
    inbox.uploads.extend([GOOD[:300]] * 3)

    assert "nobody sends" in waiting_reason(source)


def test_nothing_can_be_sent_to_a_source_without_a_stream() -> None:
    with pytest.raises(SourceUnavailableError, match="sent to it, by a running stream"):
        open_source("upload:")
