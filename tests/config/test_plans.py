"""What the workers are told is what the configuration says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.config.load import parse_config
from ooblexd.config.patch import parse_stream, table_of
from ooblexd.config.plans import auto_workers, plan_of
from ooblexd.plan import EffectPlan, format_plan, parse_daemon_plan

TEXT = """\
[http]
port = 0
allowed_hosts = ["Box.lan"]

[streams.door]
source = "rtsp://192.0.2.20/1"
max_fps = 12.5
effects = ["none", { effect = "blur_faces", mode = "tracked", strength = 1 }]

[streams.desk]
source = "demo:"
enabled = false

[log]
level = "debug"
"""

STREAMS = st.fixed_dictionaries(
    {"source": st.sampled_from(["demo:", "file:/a b", "rtsp://u:p@192.0.2.1/s?x=1"])},
    optional={
        "enabled": st.booleans(),
        "transport": st.sampled_from(["auto", "tcp", "udp"]),
        "max_fps": st.floats(0, 240),
        "rotate": st.sampled_from([0, 90, 180, 270]),
        "flip": st.sampled_from(["none", "horizontal", "vertical", "both"]),
        "crop": st.fixed_dictionaries(
            {"left": st.floats(0, 0.5)}, optional={"width": st.floats(0.01, 0.5)}
        ).map(lambda crop: {"width": 0.5, **crop}),
        "max_age_ms": st.integers(0, 60_000),
        "jpeg_quality": st.integers(1, 100),
        "publish_key": st.sampled_from(["", "geheim-7"]),
        "effects": st.lists(
            st.sampled_from(["none", "blur_faces"])
            | st.fixed_dictionaries(
                {"effect": st.just("blur_faces"), "strength": st.floats(0, 1)}
            ),
            max_size=3,
        ),
    },
)


def test_plan_says_what_the_file_says() -> None:
    plan = plan_of(parse_config(TEXT, {}, file="/a/b.toml"), cores=4)

    door, desk = plan.streams
    assert (plan.host, plan.port, plan.config_path) == ("127.0.0.1", 0, "/a/b.toml")
    assert plan.allowed_hosts == ("box.lan",)
    assert (plan.log_level, plan.engine, plan.inference_workers) == ("debug", "auto", 2)
    assert (door.name, door.source, door.max_fps) == (
        "door",
        "rtsp://192.0.2.20/1",
        12.5,
    )
    assert (desk.name, desk.enabled, desk.effects) == ("desk", False, ())


def test_plan_of_an_effect_is_complete_and_knows_what_it_guards() -> None:
    nothing, blur = plan_of(parse_config(TEXT, {})).streams[0].effects

    assert nothing == EffectPlan("none", "every_frame", "pass")
    assert (blur.effect, blur.mode, blur.on_failure) == (
        "blur_faces",
        "tracked",
        "cover",
    )
    assert blur.is_privacy
    assert blur.parameters["strength"] == 1
    assert blur.parameters["detail"] == "normal"


def test_plan_survives_its_journey_to_the_worker() -> None:
    plan = plan_of(parse_config(TEXT, {}))

    assert parse_daemon_plan(format_plan(plan)) == plan


def test_a_box_gets_workers_by_its_cores() -> None:
    assert [auto_workers(cores) for cores in (1, 2, 4, 8, 64)] == [1, 1, 2, 4, 4]


@given(STREAMS)
def test_stream_as_a_table_is_the_same_stream(fields: dict[str, object]) -> None:
    stream = parse_stream("door", fields)

    assert parse_stream("door", table_of(stream)) == stream
