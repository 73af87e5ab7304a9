"""What the environment sets stands over the file."""

from __future__ import annotations

import pytest

from ooblexd.config.environment import read_overrides
from ooblexd.config.load import parse_config
from ooblexd.errors import ConfigError

DOOR = '[http]\nport = 1\n[streams.door]\nsource = "demo:"\njpeg_quality = 70\n'


def test_variable_overrides_the_file_and_leaves_the_rest() -> None:
    environ = {
        "OOBLEXD_HTTP__PORT": "8801",
        "OOBLEXD_STREAMS__DOOR__SOURCE": "rtsp://192.0.2.1/",
        "OOBLEXD_STREAMS__DOOR__ENABLED": "false",
        "OOBLEXD_STREAMS__DOOR__ROTATE": "90",
        "OOBLEXD_STREAMS__DOOR__CROP__LEFT": "0.25",
        "OOBLEXD_STREAMS__DOOR__CROP__WIDTH": "0.5",
    }

    config = parse_config(DOOR, environ)

    door = config.streams["door"]
    assert config.http.port == 8801
    assert (door.source, door.enabled) == ("rtsp://192.0.2.1/", False)
    assert door.jpeg_quality == 70
    assert (door.rotate, door.crop.left, door.crop.width) == (90, 0.25, 0.5)


def test_lists_are_json() -> None:
    environ = {
        "OOBLEXD_HTTP__ALLOWED_HOSTS": '["box.lan"]',
        "OOBLEXD_STREAMS__DOOR__EFFECTS": '["none", {"effect": "blur_faces"}]',
    }

    config = parse_config(DOOR, environ)

    assert config.http.allowed_hosts == ("box.lan",)
    chain = [effect.effect for effect in config.streams["door"].effects]
    assert chain == ["none", "blur_faces"]


def test_whole_stream_can_come_from_the_environment() -> None:
    environ = {"OOBLEXD_STREAMS__HALL": '{"source": "demo:", "max_fps": 5}'}

    config = parse_config(DOOR, environ)

    assert list(config.streams) == ["door", "hall"]
    assert set(config.overrides) == {
        ("streams", "hall", "source"),
        ("streams", "hall", "max_fps"),
    }


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("OOBLEXD_HTTP__PORT", "no", "http.port: 'no', allowed 0 to 65535"),
        ("OOBLEXD_HTTP__PRT", "1", "http.prt: unknown key, did you mean port?"),
        ("OOBLEXD_HTPP__PORT", "1", "htpp: unknown key, did you mean http?"),
        ("OOBLEXD_HTTP", "1", "http: 1, must be a table"),
        ("OOBLEXD_LOG", "loud", "log: 'loud', must be a table"),
        (
            "OOBLEXD_HTTP__ALLOWED_HOSTS",
            "a, b",
            "http.allowed_hosts: 'a, b', must be a list",
        ),
    ],
)
def test_problem_names_the_variable(variable: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(DOOR, {variable: value})

    assert caught.value.problems == (f"environment {variable}: {problem}",)


def test_more_precise_variable_stands_in_any_order() -> None:
    door = {"OOBLEXD_STREAMS__DOOR": '{"source": "demo:", "max_fps": 5}'}
    source = {"OOBLEXD_STREAMS__DOOR__SOURCE": "file:/a"}

    for environ in (door | source, source | door):
        config = parse_config("", environ)
        assert config.streams["door"].source == "file:/a"
        assert config.streams["door"].max_fps == 5
        path = ("streams", "door", "source")
        assert config.overrides[path] == "OOBLEXD_STREAMS__DOOR__SOURCE"


def test_other_variables_are_somebody_elses() -> None:
    environ = {"OOBLEXD_CONFIG": "x", "OOBLEXDX__A": "1", "PATH": "/bin"}

    assert read_overrides(environ) == ({}, {})


def test_secret_in_a_variable_is_never_shown() -> None:
    environ = {
        "OOBLEXD_STREAMS__DOOR__SOURCE": "rstp://user:hunter2@192.0.2.1/",
        "OOBLEXD_STREAMS__DOOR": '{"sauce": "rtsp://user:hunter2@192.0.2.1/"}',
        "OOBLEXD_STREAMS__DOOR__MAX_FPS": "rtsp://user:hunter2@192.0.2.1/",
        "OOBLEXD_STREAMS": '{"a": "rtsp://user:hunter2@192.0.2.1/"}',
        "OOBLEXD_HTTP__HOST": "rtsp://user:hunter2@192.0.2.1/",
        "OOBLEXD_HTTP__ALLOWED_HOSTS": '["rtsp://user:hunter2@192.0.2.1/"]',
        "OOBLEXD_INFERENCE__WORKERS": "rtsp://user:hunter2@192.0.2.1/",
        "OOBLEXD_STREAMS__B": '{"source": "demo:", "effects": ["x://u:hunter2@h/"]}',
    }

    with pytest.raises(ConfigError) as caught:
        parse_config(DOOR, environ)

    assert len(caught.value.problems) == 8
    assert "hunter2" not in str(caught.value)
