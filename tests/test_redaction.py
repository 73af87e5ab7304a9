"""No credential survives redaction, however odd it is."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.redaction import mask_url, redact

SCHEMES = st.sampled_from(["rtsp", "rtsps", "http", "https", "rtmp"])
HOSTS = st.sampled_from(["camera", "192.0.2.20:554", "[2001:db8::7]", "[::1]:8554"])
# The capitals mark the secret: nothing else in these texts has any.
SECRETS = st.text(string.ascii_uppercase, min_size=3, max_size=8)
ODD = st.text(string.punctuation + string.digits, max_size=6)


@given(SCHEMES, HOSTS, SECRETS, ODD)
def test_login_never_shows(scheme: str, host: str, secret: str, odd: str) -> None:
    url = f"{scheme}://{secret}:{odd}{secret}{odd}@{host}/stream1"

    assert secret not in mask_url(url)
    assert secret not in redact(f"cannot open '{url}': it is away")
    assert mask_url(url).endswith(f"@{host}/stream1")


@given(SCHEMES, HOSTS, SECRETS, ODD)
def test_encoded_login_never_shows(
    scheme: str, host: str, secret: str, odd: str
) -> None:
    password = quote(odd + secret + odd, safe="")

    assert secret not in redact(f"{scheme}://user:{password}@{host}/")


@given(SECRETS, st.text(" \t", min_size=1, max_size=2))
def test_white_space_in_a_login_does_not_uncover_it(secret: str, space: str) -> None:
    assert secret not in mask_url(f"rtsp://{secret}:{secret}{space}{secret}@camera/")


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "pwd",
        "pass",
        "token",
        "access_token",
        "api-key",
        "auth",
        "loginpass",
    ],
)
@given(secret=SECRETS, separator=st.sampled_from("?&;"))
def test_secret_in_a_query_never_shows(name: str, secret: str, separator: str) -> None:
    url = f"http://camera/video{separator}{name}={secret}&channel=1"

    assert mask_url(url) == f"http://camera/video{separator}{name}=***&channel=1"


def test_authorization_header_never_shows() -> None:
    text = "GET / HTTP/1.1\r\nAuthorization: Basic YWRtaW46\r\nHost: camera"

    assert redact(text) == "GET / HTTP/1.1\r\nAuthorization: ***\r\nHost: camera"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (
            "exec:ffmpeg -i rtsp://u:SECRET@h/s?token=SECRET -f mjpeg -",
            "exec:ffmpeg -i rtsp://***@h/s?token=*** -f mjpeg -",
        ),
        ("exec:cam --password SECRET -o -", "exec:cam --password *** -o -"),
        ("exec:cam --token=SECRET -o -", "exec:cam --token=*** -o -"),
        ("exec:gst user-id=a user-pw=SECRET !", "exec:gst user-id=a user-pw=*** !"),
    ],
)
def test_secret_of_a_command_never_shows(command: str, shown: str) -> None:
    assert mask_url(command) == shown


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://192.0.2.20/stream1",
        "rtsp://[2001:db8::7]:554/h264?channel=1&subtype=0",
        "demo:",
        "mail to owner@example.org",
        "the stream key is NAME?token=<publish_key>",
        "dropped 31 frames, last: viewer too slow",
    ],
)
def test_text_without_credentials_stays_as_it_is(text: str) -> None:
    assert redact(text) == text
