from __future__ import annotations

import pytest

from ooblexd.control import guard


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8800",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:9000",
        "[::1]:8800",
        "127.1.2.3",
    ],
)
def test_every_loopback_name_is_ours(host: str) -> None:
    assert guard.is_allowed_host(host, ())


@pytest.mark.parametrize(
    ("target", "split"),
    [
        ("http://box.lan:8800/health", ("box.lan:8800", "/health")),
        ("HTTPS://box.lan", ("box.lan", "/")),
        ("http:///health", ("", "/health")),
        ("http://user@box.lan/", ("user@box.lan", "/")),
        ("/http://box.lan/", None),
        ("*", None),
    ],
)
def test_a_target_that_names_the_host_is_split(
    target: str, split: tuple[str, str] | None
) -> None:
    assert guard.split_target(target) == split


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@localhost",
        "localhost:8800:1",
        "192.0.2.1",
        "[::2]",
        "loc alhost",
    ],
)
def test_a_name_that_merely_resolves_to_us_is_refused(host: str | None) -> None:
    assert not guard.is_allowed_host(host, ())


def test_a_configured_name_is_ours_by_any_port() -> None:
    assert guard.is_allowed_host("Box.Lan:8800", ("box.lan",))


def test_a_configured_name_with_a_port_is_ours_by_that_port_only() -> None:
    assert guard.is_allowed_host("box.lan:8800", ("box.lan:8800",))
    assert not guard.is_allowed_host("box.lan:8801", ("box.lan:8800",))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8800", "localhost:8800"),
        ("http://box.lan", "box.lan"),
        ("http://box.lan:80", "box.lan"),
        ("http://[::1]:8800", "[::1]:8800"),
    ],
)
def test_our_own_page_is_the_same_origin(origin: str, host: str) -> None:
    assert guard.is_same_origin(origin, host)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1:8800",
        "file://localhost:8800",
        "localhost:8800",
        "",
    ],
)
def test_any_other_page_is_another_origin(origin: str) -> None:
    assert not guard.is_same_origin(origin, "localhost:8800")


@pytest.mark.parametrize("given", ["abc-1", "0af7651916cd43dd8448eb211c80319c", "a/b"])
def test_a_sane_request_id_is_kept(given: str) -> None:
    assert guard.request_id_of(given) == given


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "a\r\nb", "é"])
def test_any_other_request_id_is_replaced(given: str | None) -> None:
    new = guard.request_id_of(given)

    assert new != given
    assert len(new) == 32


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
        ("application/jsonp", False),
        (None, False),
    ],
)
def test_only_json_is_json(content_type: str | None, expected: bool) -> None:  # noqa: FBT001 # pytest passes it by name
    assert guard.is_json(content_type) is expected


def test_an_origin_that_is_no_url_is_foreign() -> None:
    assert not guard.is_same_origin("http://[", "127.0.0.1:8800")
