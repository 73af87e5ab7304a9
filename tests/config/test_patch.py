"""A stream at the edge of the API: masked on its way out, patched on its way in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.config.load import parse_config
from ooblexd.config.patch import (
    api_may_set_source,
    apply_merge_patch,
    merge_patch,
    parse_stream,
    patch_document,
    public,
    public_document,
    table_of,
)
from ooblexd.errors import ConfigError, SourceForbiddenError

SOURCE = "rtsp://user:hunter2@192.0.2.20:554/stream1?token=tok3n&ch=1"
MASKED = "rtsp://***@192.0.2.20:554/stream1?token=***&ch=1"

RFC_7396_APPENDIX_A: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(st.sampled_from("abc"), below, max_size=3)
    ),
    max_leaves=8,
)


def without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: without_nulls(v) for k, v in value.items() if v is not None}


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396_APPENDIX_A)
def test_merge_patch_does_what_the_rfc_shows(
    target: Any, patch: Any, result: Any
) -> None:
    assert apply_merge_patch(target, patch) == result


@given(VALUES, VALUES)
def test_merge_patch_applied_twice_changes_no_more(target: Any, patch: Any) -> None:
    once = apply_merge_patch(target, patch)

    assert apply_merge_patch(once, patch) == once


@given(VALUES, st.dictionaries(st.sampled_from("abc"), VALUES))
def test_merge_patch_on_nothing_is_the_patch_without_nulls(
    target: Any, patch: dict[str, Any]
) -> None:
    scalar = None if isinstance(target, dict) else target

    assert apply_merge_patch(scalar, patch) == without_nulls(patch)


def test_public_stream_has_every_key_complete_effects_and_no_secret() -> None:
    stream = parse_stream("door", {"source": SOURCE, "effects": ["blur_faces"]})

    shown = public(stream)

    [effect] = shown.pop("effects")
    assert shown == {
        "source": MASKED,
        "publish_key": "",
        "input": {"format": "auto", "width": 0, "height": 0, "fps": 0.0},
        "enabled": True,
        "transport": "auto",
        "audio": "auto",
        "max_fps": 0.0,
        "rotate": 0,
        "flip": "none",
        "crop": {"left": 0.0, "top": 0.0, "width": 1.0, "height": 1.0},
        "max_age_ms": 0,
        "jpeg_quality": 80,
        "push": [],
    }
    assert list(effect)[:3] == ["effect", "mode", "on_failure"]
    assert effect["effect"] == "blur_faces"
    assert effect["on_failure"] == "cover"
    assert "hunter2" not in repr(stream)


def test_what_is_shown_can_be_sent_back_and_changes_nothing() -> None:
    fields = {"source": SOURCE, "effects": ["blur_faces", {"effect": "none"}]}
    stream = parse_stream("door", fields)

    assert merge_patch("door", stream, public(stream)) == stream
    assert parse_stream("door", table_of(stream)) == stream


def test_null_sets_a_key_back_to_its_default() -> None:
    stream = parse_stream("door", {"source": SOURCE, "jpeg_quality": 60})

    assert merge_patch("door", stream, {"jpeg_quality": None}).jpeg_quality == 80


def test_secret_stays_when_another_part_of_the_source_changes() -> None:
    stream = parse_stream("door", {"source": SOURCE})
    sent = MASKED.replace("stream1", "stream2").replace("ch=1", "ch=2")

    patched = merge_patch("door", stream, {"source": sent})

    expected = SOURCE.replace("stream1", "stream2").replace("ch=1", "ch=2")
    assert patched.source == expected


@pytest.mark.parametrize(
    "sent",
    [
        "rtsp://***@evil.example/stream1",
        "rtsp://***@192.0.2.20:555/stream1",
        "http://***@192.0.2.20:554/stream1",
        "rtsp://192.0.2.20:554/s?password=***",
        "rtsp://user:***@192.0.2.20:554/s",
        "rtsp://***@[/",
    ],
)
def test_secret_never_follows_to_another_address(sent: str) -> None:
    stream = parse_stream("door", {"source": SOURCE})

    with pytest.raises(ConfigError) as caught:
        merge_patch("door", stream, {"source": sent})

    assert caught.value.problems == (
        "streams.door.source: *** stands for no secret of this address; write it out",
    )


@pytest.mark.parametrize(
    "url", ["file:/etc/passwd", "exec:sh", "/dev/video0", " FILE:a"]
)
def test_sources_of_this_machine_are_refused_by_the_api(url: str) -> None:
    stream = parse_stream("door", {"source": "demo:"})

    with pytest.raises(SourceForbiddenError):
        api_may_set_source(url)
    with pytest.raises(SourceForbiddenError):
        merge_patch("door", stream, {"source": url})


@pytest.mark.parametrize("url", ["exec:sh", "gopher://box", "fil:a"])
def test_what_the_api_may_not_name_it_does_not_propose(url: str) -> None:
    stream = parse_stream("door", {"source": "demo:"})

    with pytest.raises(ConfigError) as caught:
        merge_patch("door", stream, {"source": url})

    assert "demo:, upload:, whip:, rtsp://HOST/PATH, rtsps://HOST/PATH" in str(
        caught.value
    )
    assert "http://HOST/PATH, https://HOST/PATH)" in str(caught.value)
    assert not re.search("exec|file:|/dev/", str(caught.value).replace(url, ""))


def test_file_source_of_the_file_can_keep_its_place_in_a_patch() -> None:
    stream = parse_stream("door", {"source": "file:/srv/clip.mp4"})

    patched = merge_patch("door", stream, {**public(stream), "enabled": False})

    assert patched == stream.model_copy(update={"enabled": False})


def test_bad_patch_names_each_key() -> None:
    stream = parse_stream("door", {"source": SOURCE})

    with pytest.raises(ConfigError) as caught:
        merge_patch("door", stream, {"fps": 3, "jpeg_quality": 400, "source": None})

    assert sorted(caught.value.problems) == [
        "streams.door.fps: unknown key, did you mean max_fps?",
        "streams.door.jpeg_quality: 400, allowed 1 to 100",
        "streams.door.source: missing",
    ]


def test_patch_that_is_no_table_is_refused() -> None:
    stream = parse_stream("door", {"source": "demo:"})

    with pytest.raises(ConfigError, match="a patch must be a table"):
        merge_patch("door", stream, ["source"])


TURN = """
[[webrtc.ice_servers]]
urls = "turn:turn.example.net"
username = "box"
password = "hunter2"

[[webrtc.ice_servers]]
urls = ["turn:other.example.net", "turns:other.example.net"]
secret = "hunter2"
"""


def test_secrets_of_turn_servers_are_masked_and_what_is_masked_stays() -> None:
    document = parse_config(TURN, {}).document
    shown = public_document(document)

    assert "hunter2" not in repr(shown)
    first, second = shown["webrtc"]["ice_servers"]
    assert (first["password"], first["secret"]) == ("***", "")
    assert (second["password"], second["secret"]) == ("", "***")
    assert patch_document(document, {"webrtc": shown["webrtc"]}) == document
    assert patch_document(
        document, {"webrtc": {"udp_ports": "50000-50100"}}
    ).webrtc == (document.webrtc.model_copy(update={"udp_ports": "50000-50100"}))


@pytest.mark.parametrize(
    "change", [{"urls": ["turn:elsewhere.example.net"]}, {"username": "another"}]
)
def test_a_secret_of_a_turn_server_follows_to_no_other(change: dict[str, Any]) -> None:
    document = parse_config(TURN, {}).document
    servers = public_document(document)["webrtc"]["ice_servers"]
    servers[0].update(change)

    with pytest.raises(ConfigError) as caught:
        patch_document(document, {"webrtc": {"ice_servers": servers}})

    assert caught.value.problems[0].startswith("webrtc.ice_servers[0].password: ***")


def test_a_publish_key_is_masked_and_kept_by_its_mask() -> None:
    stream = parse_stream("desk", {"source": "whip:", "publish_key": "geheim-7"})

    assert public(stream)["publish_key"] == "***"
    assert merge_patch("desk", stream, public(stream)) == stream
    assert merge_patch("desk", stream, {"publish_key": "neu"}).publish_key == "neu"
    assert merge_patch("desk", stream, {"publish_key": None}).publish_key == ""
    assert "geheim-7" not in repr(stream)


@pytest.mark.parametrize("key", ["***", "zwei Worte", "ä", "a/b", "x" * 129, 4711])
def test_a_publish_key_that_cannot_be_given_is_refused_and_not_shown(
    key: object,
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_stream("desk", {"source": "whip:", "publish_key": key})

    assert "streams.desk.publish_key: " in str(caught.value)
    assert str(key) not in str(caught.value) or key == "***"
