from __future__ import annotations

import pytest

from ooblexd.errors import ConfigError
from ooblexd.plan import PushPlan
from ooblexd.pushes.url import (
    BY_API,
    is_file_only,
    kind_of,
    mask_push,
    names_of,
    number_of,
    secrets_of,
)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rtmp://a.rtmp.youtube.com/live2/abcd-efgh", "rtmp"),
        ("rtmps://live.example.net:443/rtmp/FB-1?s_bl=1&a=x", "rtmps"),
        ("RTSP://user:pass@192.0.2.30:8554/cam", "rtsp"),
        ("https://token@example.net/w", "https"),
        ("whip://192.0.2.31:8889/cam/whip", "whip"),
        ("exec:ffplay -", "exec"),
        ("v4l2:/dev/video10", "v4l2"),
    ],
)
def test_what_can_be_pushed_to(url: str, kind: str) -> None:
    assert kind_of(url).name == kind


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("rtmpp://h/a/k", "no push rtmpp:; did you mean rtmp:?"),
        ("rtmp://h/live", "needs an application and a key: rtmp://HOST/APP/KEY"),
        ("rtsp://192.0.2.30", "a push rtsp: needs a path: rtsp://HOST/PATH"),
        ("whip:", "a push whip: needs a host"),
        ("srt://h:9000", "the FFmpeg within has no SRT"),
        ("exec:", "a push exec: needs a command"),
        ("exec:ffmpeg 'x", "that cannot be split: no closing quotation"),
        ("v4l2:/etc/passwd", "needs a device: v4l2:/dev/videoN"),
        ("somewhere", "a push is a URL (allowed: rtmp://HOST/APP/KEY"),
    ],
)
def test_what_cannot_is_told(url: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kind_of(url)
    assert problem in caught.value.problems[0]


def test_by_api_nothing_reaches_into_this_machine() -> None:
    assert is_file_only("exec:rm -rf /")
    assert is_file_only("v4l2:/dev/video1")
    assert is_file_only("/dev/video1")
    assert not any(is_file_only(kind.form) for kind in BY_API.values())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmp://h/live/key", "rtmp://h/live/***"),
        ("rtmps://u:p@h:443/app/inst/key?x=y", "rtmps://***@h:443/app/***?***"),
        ("rtsp://user:pass@h/cam?token=1", "rtsp://***@h/cam?***"),
        ("https://TOKEN@h/cam/whip", "https://***@h/cam/whip"),
        (
            "https://h/3f2a9c8b7d6e5f4a3b2c1d0e9f8a7b6c/webRTC/publish",
            "https://h/***/webRTC/publish",
        ),
        ("exec:ffmpeg -i - -f flv rtmp://h/live/key", "exec:ffmpeg ***"),
        ("exec:player", "exec:player"),
        ("v4l2:/dev/video10", "v4l2:/dev/video10"),
    ],
)
def test_no_key_is_shown(url: str, shown: str) -> None:
    assert mask_push(url) == shown
    assert not any(secret in shown for secret in secrets_of(url) if len(secret) > 3)


def test_no_two_are_called_alike() -> None:
    urls = ["rtmp://h/live/one", "rtmp://h/live/two", "rtmp://h/other/one"]

    assert names_of(urls) == [
        "rtmp://h/live/***",
        "rtmp://h/live/*** (2)",
        "rtmp://h/other/***",
    ]


def test_a_push_is_found_by_its_number() -> None:
    one, other = PushPlan("rtmp://h/live/one"), PushPlan("rtmp://h/live/two")

    assert number_of(one) == number_of(PushPlan("rtmp://h/live/one"))
    assert number_of(one) != number_of(other)
    assert 0 < number_of(one) < 2**64
