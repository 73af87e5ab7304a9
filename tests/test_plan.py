"""Plans cross between processes as JSON, and say which of two guards more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.plan import (
    CropPlan,
    DaemonPlan,
    EffectPlan,
    IceServerPlan,
    InputPlan,
    StreamPlan,
    WebrtcPlan,
    format_plan,
    is_same_scene,
    parse_daemon_plan,
    parse_stream_plan,
    protects_more,
)

PARAMETERS = st.dictionaries(
    st.text(max_size=8), st.floats(allow_nan=False) | st.integers() | st.text()
)
EFFECTS = st.builds(
    EffectPlan,
    effect=st.sampled_from(["blur_faces", "pixelate_faces", "none"]),
    mode=st.sampled_from(["every_frame", "tracked"]),
    on_failure=st.sampled_from(["cover", "hold", "pass"]),
    is_privacy=st.booleans(),
    guards=st.sampled_from(["", "faces"]),
    parameters=PARAMETERS,
)
CHAINS = st.lists(EFFECTS, max_size=3).map(tuple)
STREAMS = st.builds(
    StreamPlan,
    name=st.text(),
    source=st.text(),
    input=st.builds(
        InputPlan,
        format=st.sampled_from(["auto", "i420", "mjpeg"]),
        width=st.integers(0, 8192),
        fps=st.floats(0, 240),
    ),
    transport=st.sampled_from(["auto", "tcp", "udp"]),
    max_fps=st.floats(0, 240),
    rotate=st.sampled_from([0, 90, 180, 270]),
    flip=st.sampled_from(["none", "horizontal", "vertical", "both"]),
    crop=st.builds(CropPlan, *[st.floats(0, 1)] * 4),
    max_age_ms=st.integers(0, 60_000),
    jpeg_quality=st.integers(1, 100),
    effects=CHAINS,
    enabled=st.booleans(),
    publish_key=st.text(),
)
DAEMONS = st.builds(
    DaemonPlan,
    host=st.text(),
    port=st.integers(0, 65535),
    config_path=st.text(),
    allowed_hosts=st.lists(st.text()).map(tuple),
    inference_workers=st.integers(1, 16),
    webrtc=st.builds(
        WebrtcPlan,
        ice_servers=st.lists(
            st.builds(IceServerPlan, st.lists(st.text()).map(tuple), st.text())
        ).map(tuple),
        additional_hosts=st.lists(st.text()).map(tuple),
        first_port=st.integers(0, 65535),
    ),
    streams=st.lists(STREAMS, max_size=3).map(tuple),
)
BLUR = EffectPlan("blur_faces", is_privacy=True, guards="faces")
PIXELATE = replace(BLUR, effect="pixelate_faces")
ZONE = EffectPlan("privacy_zone", is_privacy=True)
NONE = EffectPlan("none")


@given(STREAMS)
def test_a_stream_plan_is_read_as_it_was_written(plan: StreamPlan) -> None:
    assert parse_stream_plan(format_plan(plan)) == plan


@given(DAEMONS)
def test_a_daemon_plan_is_read_as_it_was_written(plan: DaemonPlan) -> None:
    assert parse_daemon_plan(format_plan(plan)) == plan


@pytest.mark.parametrize(
    ("old", "new", "is_stricter"),
    [
        ((), (BLUR,), True),
        ((NONE,), (NONE, BLUR), True),
        ((BLUR,), (), False),
        ((BLUR,), (NONE,), False),
        ((BLUR,), (BLUR, NONE), False),
        ((BLUR,), (replace(BLUR, parameters={"strength": 0.9}),), True),
        ((BLUR,), (replace(BLUR, mode="tracked"),), True),
        ((BLUR,), (PIXELATE,), False),
        ((BLUR,), (replace(PIXELATE, parameters={"strength": 0.9}),), True),
        ((BLUR,), (replace(PIXELATE, on_failure="pass"),), True),
        ((ZONE,), (replace(ZONE, effect="zone_of_another_package"),), True),
        ((), (NONE,), False),
    ],
)
def test_a_chain_protects_more_where_it_guards_what_the_old_one_did_not(
    old: tuple[EffectPlan, ...], new: tuple[EffectPlan, ...], *, is_stricter: bool
) -> None:
    assert protects_more(old, new) is is_stricter


@given(CHAINS)
def test_no_chain_protects_more_than_itself(chain: tuple[EffectPlan, ...]) -> None:
    assert not protects_more(chain, chain)


@given(CHAINS, CHAINS)
def test_what_protects_no_more_keeps_no_new_privacy_effect(
    old: tuple[EffectPlan, ...], new: tuple[EffectPlan, ...]
) -> None:
    if not protects_more(old, new):
        kept = [effect for effect in new if effect.is_privacy]
        assert all(effect in old for effect in kept if not effect.guards)
        known = [(one.guards, one.mode, one.parameters) for one in old]
        assert all((one.guards, one.mode, one.parameters) in known for one in kept)


def test_another_view_is_another_scene_and_another_rate_is_not() -> None:
    plan = StreamPlan("door", "demo:")

    assert is_same_scene(plan, replace(plan, max_fps=5.0, jpeg_quality=10))
    assert not is_same_scene(plan, replace(plan, rotate=180))
    assert not is_same_scene(plan, replace(plan, source="file:/a.mp4"))
