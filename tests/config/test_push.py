from __future__ import annotations

import pytest

from ooblexd.config.load import parse_config
from ooblexd.config.patch import merge_patch, parse_stream, public
from ooblexd.config.plans import plan_of
from ooblexd.errors import ConfigError, SourceForbiddenError
from ooblexd.plan import PushPlan, parse_daemon_plan
from ooblexd.plan import format_plan as plan_text

HEAD = '[streams.door]\nsource = "demo:"\n'
LIVE = "rtmp://example.net/live/topsecret"
MASKED = "rtmp://example.net/live/***"


def test_an_address_is_short_for_a_table() -> None:
    text = f"""{HEAD}push = ["{LIVE}", {{ url = "exec:ffplay -", format = "h264" }}]"""

    plan = plan_of(parse_config(text, {}))

    pushes = (PushPlan(LIVE), PushPlan("exec:ffplay -", "h264"))
    assert plan.streams[0].push == pushes
    assert parse_daemon_plan(plan_text(plan)) == plan


@pytest.mark.parametrize(
    ("push", "problem"),
    [
        ('["srt://h:9000"]', "streams.door.push[0].url: no push by srt: the FFmpeg"),
        ('["rmtp://h/live/topsecret"]', "no push rmtp:; did you mean rtmp:?"),
        ('["rtmp://h/topsecret"]', "push[0].url: a push rtmp: needs an application"),
        (f'["{LIVE}", "{LIVE}"]', "push: two pushes go to the same place"),
        ('[{ url = "exec:x", form = "h264" }]', "push[0].form: unknown key, did you"),
        ('[{ url = "exec:x", format = "ts" }]', "push[0].format: 'ts', allowed"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_without_a_secret(
    push: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{HEAD}push = {push}", {})

    [told] = caught.value.problems
    assert told.startswith("ooblexd.toml:3: streams.door.push")
    assert problem in told
    assert "topsecret" not in told


CIRCLE = """
[streams.a]
source = "rtmp-listen://0.0.0.0:1935/a"
push = ["rtmp://{host}:1935/live/{first}?token=topsecret"]

[streams.b]
source = "rtmp-listen://0.0.0.0:1935/b"
push = ["rtmp://127.0.0.1/live/{second}"]
"""


@pytest.mark.parametrize(
    ("host", "first", "second", "circle"),
    [
        ("127.0.0.1", "a", "c", "a.push: it comes back to the same stream (a to a)"),
        ("localhost", "b", "a", "a.push: it comes back to the same stream (a to b to"),
        ("127.0.0.1", "b", "c", ""),
        ("example.net", "a", "c", ""),
    ],
)
def test_a_push_that_comes_back_to_its_own_stream_is_refused(
    host: str, first: str, second: str, circle: str
) -> None:
    text = CIRCLE.format(host=host, first=first, second=second)
    if not circle:
        assert parse_config(text, {})
        return

    with pytest.raises(ConfigError) as caught:
        parse_config(text, {})

    assert circle in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_a_masked_push_that_comes_back_keeps_its_key() -> None:
    stream = parse_stream("door", {"source": "demo:", "push": [LIVE]})
    shown = public(stream)["push"]
    assert shown == [{"url": MASKED, "format": "mpegts", "silent_audio": True}]

    changed = merge_patch("door", stream, {"push": ["whip://h/cam/whip", *shown]})

    assert [push.url for push in changed.push] == ["whip://h/cam/whip", LIVE]


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("rtmp://elsewhere.example/live/***", "*** stands for no key of this address"),
        (MASKED, "several pushes look like"),
    ],
)
def test_a_mask_that_stands_for_nothing_certain_is_refused(
    sent: str, problem: str
) -> None:
    urls = [f"rtmp://example.net/live/{key}" for key in ("one", "two")]
    stream = parse_stream("door", {"source": "demo:", "push": urls})

    with pytest.raises(ConfigError, match="push: ") as caught:
        merge_patch("door", stream, {"push": [sent]})
    assert problem in caught.value.problems[0]
    both = merge_patch("door", stream, {"push": [MASKED, MASKED]})
    assert [push.url for push in both.push] == urls


@pytest.mark.parametrize("url", ["exec:reboot", "v4l2:/dev/video3"])
def test_by_api_a_push_may_stay_but_not_come_that_reaches_into_this_machine(
    url: str,
) -> None:
    stream = parse_stream("door", {"source": "demo:", "push": [url]})

    kept = merge_patch("door", stream, {"push": public(stream)["push"], "max_fps": 5})
    assert [push.url for push in kept.push] == [url]

    bare = parse_stream("door", {"source": "demo:"})
    with pytest.raises(SourceForbiddenError):
        merge_patch("door", bare, {"push": [url]})
