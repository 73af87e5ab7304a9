"""What may be a source, told without opening it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ooblexd.errors import ConfigError
from ooblexd.sources.network import quoted
from ooblexd.sources.url import (
    host_of,
    is_file_only,
    is_playlist,
    scheme_of,
    split_login,
)


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("demo:", "demo"),
        ("/dev/video0", "/dev/"),
        ("/dev/v4l/by-id/usb-Cam:1-index0", "/dev/"),
        ("exec:rpicam-vid -t 0 -o -", "exec"),
        ("exec:sh -c 'a \"b\"'", "exec"),
        ("file:/srv/clip.mp4", "file"),
        ("rtsp://u:p@192.0.2.20/stream1", "rtsp"),
        ("RTSP://camera/", "rtsp"),
        ("rtsps://[2001:db8::7]:322/", "rtsps"),
        ("rtmp://u:p@192.0.2.22/live/key", "rtmp"),
        ("rtmps://server/live/key", "rtmps"),
        ("rtmp-listen://0.0.0.0:1935/door", "rtmp-listen"),
        ("udp://0.0.0.0:5000", "udp"),
        ("udp://239.1.2.3:5000?ttl=1", "udp"),
        ("http://camera:8081", "http"),
        ("https://camera/video.mjpg?channel=1", "https"),
    ],
)
def test_sources_are_known_by_their_scheme(url: str, scheme: str) -> None:
    assert scheme_of(url).name == scheme


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "a source is a URL"),
        ("camera", "a source is a URL"),
        ("192.168.1.20", "a source is a URL; did you mean rtsp://192.168.1.20?"),
        ("door.lan:554/1", "a source is a URL; did you mean rtsp://door.lan:554/1?"),
        ("rstp://u:SECRET@camera/", "did you mean rtsp:"),
        ("gopher://u:SECRET@camera/", "no source gopher:"),
        ("rtsp:", "needs a host"),
        ("rtmp:", "needs a host"),
        ("udp://0.0.0.0", "needs a port"),
        ("udp://0.0.0.0/5000", "needs a port"),
        ("rtsp://u:SECRET@/path", "needs a host"),
        ("http:///path", "needs a host"),
        ("http://:8080/", "needs a host"),
        ("rtsp://[2001:db8::7/", "needs a host"),
        ("file:", "needs a path"),
        ("exec:", "needs a command"),
        ("exec:  ", "needs a command"),
        ("exec:''", "needs a command"),
        ("exec:sh -c 'SECRET", "cannot be split: no closing quotation"),
        ("/srv/clip.mp4", "needs file: before it"),
    ],
)
def test_what_is_no_source_is_refused_without_its_secret(url: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scheme_of(url)

    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:/x", "FILE:x", "exec:rpicam-vid", "/dev/video0"])
def test_what_reaches_into_the_box_is_for_the_file_only(url: str) -> None:
    assert is_file_only(url)


@pytest.mark.parametrize("url", ["demo:", "rtsp://camera/", "http://camera/file:"])
def test_what_lies_elsewhere_may_be_named_by_api(url: str) -> None:
    assert not is_file_only(url)


@pytest.mark.parametrize(
    ("url", "login", "place"),
    [
        ("rtsp://camera/s", "", "camera/s"),
        ("rtsp://u:p@camera/s", "u:p", "camera/s"),
        ("rtsp://u:p@w@camera/s", "u:p@w", "camera/s"),
        ("rtsp://u:p/w@camera/s", "u:p/w", "camera/s"),
        ("rtsp://u:p#w?@camera:554/s", "u:p#w?", "camera:554/s"),
        ("rtsp://u:p@camera/s@1", "u:p", "camera/s@1"),
        ("rtsp://camera/s@1", "", "camera/s@1"),
        ("rtsp://camera:554/s@1", "", "camera:554/s@1"),
        ("rtsp://[::1]:554/s@1", "", "[::1]:554/s@1"),
        ("rtsp://u:p@[::1]:554/s", "u:p", "[::1]:554/s"),
    ],
)
def test_login_is_told_from_the_place(url: str, login: str, place: str) -> None:
    assert split_login(url) == ("rtsp", login, place)
    assert host_of(url) == place.partition("/")[0]


@pytest.mark.parametrize(
    ("pasted", "sent"),
    [
        ("rtsp://camera/s", "rtsp://camera/s"),
        ("rtsp://u:p@w@camera/s", "rtsp://u:p%40w@camera/s"),
        ("rtsp://u:p/w@camera/s", "rtsp://u:p%2Fw@camera/s"),
        ("rtsp://u:p%40w@camera/s", "rtsp://u:p%40w@camera/s"),
        ("rtsp://u:100%@camera/s", "rtsp://u:100%25@camera/s"),
        ("rtsp://u:p:w@camera/s", "rtsp://u:p%3Aw@camera/s"),
        ("rtsp://u@camera/s", "rtsp://u@camera/s"),
    ],
)
def test_login_reaches_the_camera_encoded(pasted: str, sent: str) -> None:
    assert quoted(pasted) == sent


def test_knowing_a_url_loads_no_decoder() -> None:
    code = (
        "import sys, ooblexd.sources.url, ooblexd.sources; "
        "sys.exit(bool({'av', 'numpy', 'cv2'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://camera/live.M3U8?key=x", True),
        ("https://user:p?a@camera/list.m3u", True),
        ("http://camera/video.mjpg?next=a.m3u8", False),
        ("http://camera/?a=.m3u8", False),
    ],
)
def test_a_playlist_is_known_by_the_end_of_its_path(
    url: str, *, expected: bool
) -> None:
    assert is_playlist(url) == expected
