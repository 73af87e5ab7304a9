"""Where streams are published, and by which key: checked, masked, kept."""

from __future__ import annotations

import pytest

from ooblexd.config.load import parse_config
from ooblexd.config.patch import merge_patch, parse_stream, public
from ooblexd.config.plans import plan_of
from ooblexd.errors import ConfigError
from ooblexd.plan import Place

DOOR = 'source = "rtmp-listen://127.0.0.1:1935/door"\n'


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, {})
    return caught.value.problems


@pytest.mark.parametrize(
    ("source", "place", "path"),
    [
        ("rtmp-listen://192.0.2.9:1936/door", Place("rtmp", "192.0.2.9", 1936), "door"),
        ("RTMP-listen://127.0.0.1/a/b/", Place("rtmp", "127.0.0.1", 1935), "a/b"),
        ("rtmp-listen://[::1]:80/door", Place("rtmp", "::1", 80), "door"),
    ],
)
def test_a_source_says_where_it_is_published(
    source: str, place: Place, path: str
) -> None:
    config = parse_config(f'[streams.a]\nsource = "{source}"\n', {})

    assert plan_of(config).streams[0].listening == (place, path)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("rtmp-listen://box:1935/door", "listens on an address: 0.0.0.0 for all"),
        ("rtmp-listen://0.0.0.0:1935", "needs a name behind the port"),
        ("rtmp-listen://0.0.0.0:1935/a b", "needs a name behind the port"),
        ("rtmp-listen://0.0.0.0:99999/door", "port must be 1 to 65535"),
        ("rtmp-listen:door", "needs a host: rtmp-listen://ADDRESS:PORT/NAME"),
    ],
)
def test_what_cannot_be_listened_on_is_told(source: str, problem: str) -> None:
    [told] = problems_of(f'[streams.a]\nsource = "{source}"\n')

    assert told.startswith("ooblexd.toml:2: streams.a.source: ")
    assert problem in told


def test_the_door_of_players_is_that_of_publishers_to_the_same_place() -> None:
    text = '[rtsp]\nhost = "localhost"\nport = 8554\n'
    text += '[streams.a]\nsource = "rtsp-listen://127.0.0.1:8554/a"\n'

    plan = plan_of(parse_config(text, {}))

    assert plan.streams[0].listening is not None
    assert plan.rtsp.place == plan.streams[0].listening.place
    assert plan_of(parse_config("", {})).rtsp.place is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[rtsp]\nhost = "0.0.0.0"\n', "rtsp.host: '0.0.0.0', allowed 127.0.0.1, ::1"),
        ("[rtsp]\nport = 8800\n", "rtsp.port: 8800 is http.port already"),
    ],
)
def test_where_players_cannot_come_is_told(text: str, problem: str) -> None:
    [told] = problems_of(text)

    assert problem in told


def test_two_streams_of_the_same_name_on_a_port_are_told() -> None:
    [told] = problems_of(f"[streams.a]\n{DOOR}[streams.b]\n{DOOR}")

    assert "streams.b.source: " in told
    assert "is that of streams.a already" in told


def test_one_that_is_switched_off_is_in_nobody_s_way() -> None:
    parse_config(f"[streams.a]\n{DOOR}[streams.b]\n{DOOR}enabled = false\n", {})


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("a b", "allowed are up to 128 of A-Z, a-z, 0-9, - . _ and ~"),
        ("x" * 129, "allowed are up to 128 of A-Z, a-z, 0-9, - . _ and ~"),
        ("***", "*** stands for no key here; write it out"),
    ],
)
def test_a_key_must_fit_into_a_url_and_is_not_repeated(key: str, problem: str) -> None:
    [told] = problems_of(f'[streams.a]\n{DOOR}publish_key = "{key}"\n')

    assert told == f"ooblexd.toml:3: streams.a.publish_key: {problem}"


def test_a_key_is_masked_and_its_mask_leaves_it() -> None:
    table = {"source": "rtmp-listen://127.0.0.1/door", "publish_key": "SECRET"}
    stream = parse_stream("door", table)

    assert public(stream)["publish_key"] == "***"
    assert "SECRET" not in repr(stream)
    kept = merge_patch("door", stream, {"publish_key": "***", "max_fps": 5})
    assert kept.publish_key == "SECRET"
    assert merge_patch("door", stream, {"publish_key": None}).publish_key == ""
    assert merge_patch("door", stream, {"publish_key": "other"}).publish_key == "other"


def test_the_mask_of_no_key_is_no_key() -> None:
    stream = parse_stream("door", {"source": "rtmp-listen://127.0.0.1/door"})

    with pytest.raises(ConfigError, match="stands for no key"):
        merge_patch("door", stream, {"publish_key": "***"})
