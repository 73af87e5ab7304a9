"""What one connection is told of STUN and TURN servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.ice import (
    IceAddress,
    IceServer,
    IceSettings,
    format_settings,
    links_of,
    parse_address,
    parse_settings,
    settings_of,
    timed_credentials,
)
from ooblexd.plan import IceServerPlan, WebrtcPlan

NAMES = st.lists(st.text()).map(tuple)
SERVERS = st.builds(IceServer, NAMES, st.text(), st.text())


@given(st.builds(IceSettings, st.lists(SERVERS).map(tuple), NAMES))
def test_settings_are_read_as_they_were_written(settings: IceSettings) -> None:
    assert parse_settings(format_settings(settings)) == settings


def test_no_settings_are_settings_without_servers() -> None:
    assert parse_settings("") == IceSettings()


def test_timed_credentials_are_those_of_coturn() -> None:
    # As OpenSSL has it:
    # printf 1700000000:door | openssl dgst -sha1 -hmac north -binary | base64
    username, password = timed_credentials("north", "door", 1_700_000_000)

    known = "nUJ5U8y/THqDMahJE5cLi8ZxhbU="
    assert (username, password) == ("1700000000:door", known)


def test_a_secret_leaves_only_as_what_was_made_of_it() -> None:
    turn = IceServerPlan(("turn:turn.example.net",), secret="north")  # noqa: S106 # a test's
    fixed = IceServerPlan(("turn:other.example.net",), "box", "hunter2")  # likewise
    plan = WebrtcPlan(ice_servers=(turn, fixed), credentials_ttl_s=600)

    made, same = settings_of(plan, 1_000_000.7).servers

    assert made.username == "1000600:ooblexd"
    assert made.credential
    assert "north" not in repr(made)
    assert (same.username, same.credential) == ("box", "hunter2")


def test_links_are_those_of_the_rfc() -> None:
    server = IceServer(
        ("stun:stun.example.net", "turn:turn.example.net?transport=udp"), "user", 'a"b'
    )

    assert links_of(server) == [
        '<stun:stun.example.net>; rel="ice-server"',
        (
            '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; '
            'credential="a\\"b"; credential-type="password"'
        ),
    ]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("stun:a.example", IceAddress("stun", "a.example", 3478, "udp")),
        ("turn:192.0.2.1:99", IceAddress("turn", "192.0.2.1", 99, "udp")),
        ("turn:[2001:db8::1]", IceAddress("turn", "2001:db8::1", 3478, "udp")),
        ("turn:[::1]:7?transport=tcp", IceAddress("turn", "::1", 7, "tcp")),
        ("turns:a.example", IceAddress("turns", "a.example", 5349, "tcp")),
    ],
)
def test_an_address_is_taken_apart(url: str, address: IceAddress) -> None:
    assert parse_address(url) == address
