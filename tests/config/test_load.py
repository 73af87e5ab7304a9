"""What the reader of a configuration is told, and what comes out of a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.config.load import check_config, load_config, parse_config
from ooblexd.errors import ConfigError
from ooblexd.sources.url import SCHEMES

if TYPE_CHECKING:
    from pathlib import Path

ICE = "[[webrtc.ice_servers]]\n"
DOOR = '[streams.door]\nsource = "rtsp://user:hunter2@192.0.2.20/stream1"\n'

TEN_MISTAKES = """\
[http]
host = "0.0.0.0"
port = 99999

[streams.door]
source = "rstp://user:hunter2@192.0.2.20/stream1"
fps = 25
jpeg_quality = 400
transport = "quic"
effects = [
  "blur_face", # a comment, with [brackets]
  { effect = "blur_faces", strength = 3, mode = "often" },
]

[inference]
workers = 0
"""

CHAIN = "streams.door.effects"
LOOPBACK_ONLY = (
    "allowed 127.0.0.1, ::1 or another loopback address: "
    "without access control nobody else may reach the daemon"
)
SOURCES = f"(allowed: {', '.join(scheme.form for scheme in SCHEMES.values())})"


def problems_of(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ)
    return list(caught.value.problems)


def test_ten_mistakes_are_ten_problems(tmp_path: Path) -> None:
    file = tmp_path / "ten.toml"
    file.write_text(TEN_MISTAKES)

    problems = [line.removeprefix(f"{file}:") for line in check_config(file, {})]

    assert problems == [
        f"2: http.host: '0.0.0.0', {LOOPBACK_ONLY}",
        "3: http.port: 99999, allowed 0 to 65535",
        f"6: streams.door.source: no source rstp:; did you mean rtsp:? {SOURCES}",
        "7: streams.door.fps: unknown key, did you mean max_fps?",
        "8: streams.door.jpeg_quality: 400, allowed 1 to 100",
        "9: streams.door.transport: 'quic', allowed auto, tcp or udp",
        f"11: {CHAIN}[0]: unknown effect 'blur_face', did you mean blur_faces?",
        f"12: {CHAIN}[1].mode: 'often', allowed every_frame or tracked",
        f"12: {CHAIN}[1].strength: 3, allowed 0 to 1",
        "16: inference.workers: 0, allowed auto or 1 to 16",
    ]


def test_good_file_has_no_problems(tmp_path: Path) -> None:
    file = tmp_path / "good.toml"
    file.write_text(DOOR)

    assert check_config(file, {}) == []


@pytest.mark.parametrize("key", ["record", "tokens"])
def test_keys_of_later_work_are_unknown(key: str) -> None:
    [problem] = problems_of(f"{DOOR}{key} = 1\n")

    assert problem.startswith(f"ooblexd.toml:3: streams.door.{key}: unknown key, ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[http]\nport = \n", "2:8: a value or a closing bracket is missing"),
        ("[http]\nport = 1\nport = 2\n", "3: http.port: is there twice"),
        (f"{DOOR}{DOOR}", "3: streams.door: is there twice"),
        ('log = { level = "info\n', "1:22: the closing quote is missing, or a "),
        ("[log]\nlevel = info\n", "2:9: text must stand in quotes"),
        ("source rtsp://u:hunter2@h/\n", "1:12: no valid TOML"),
    ],
)
def test_syntax_errors_have_line_and_column(text: str, problem: str) -> None:
    [found] = problems_of(text)

    assert found.startswith(f"ooblexd.toml:{problem}")
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http = 3\n", "1: http: 3, must be a table"),
        ("streams = []\n", "1: streams: a list, must be a table"),
        ("[streams]\ndoor = 1\n", "2: streams.door: 1, must be a table"),
        ("[streams.a]\n", "1: streams.a.source: missing"),
        ("[streams.A]\nsource='demo:'\n", "1: streams.A: not a stream's name, "),
        ("[streams.'a\\nb']\nsource='demo:'\n", "1: streams.a\\nb: not a stream's"),
        (
            "[streams.a]\nsource = 'rtsp://h/\"'\n",
            "2: streams.a.source: a source has no",
        ),
        ('[streams.a]\nsource = "rtsp://h/\\u0000"\n', "2: streams.a.source: a source"),
        (f"[streams.a]\nsource='rtsp://h/{'x' * 2000}'\n", "2: streams.a.source: a s"),
        ("[streams.a]\nsource = 3\n", "2: streams.a.source: 3, must be text"),
        ("[http]\nport = true\n", "2: http.port: true, must be a number"),
        ("[http]\nport = 80.5\n", "2: http.port: 80.5, allowed 0 to 65535"),
        ("[inference]\nengine='cuda'\n", "2: inference.engine: 'cuda', allowed auto "),
        ("[http]\nallowed_hosts = ['a/b']\n", "2: http.allowed_hosts[0]: 'a/b', all"),
        (ICE + "urls = 'http://a'\n", "2: webrtc.ice_servers[0].urls[0]: not the add"),
        (ICE + "urls = 'stun:a:0'\n", "2: webrtc.ice_servers[0].urls[0]: port 0, allo"),
        (ICE + "urls = []\n", "2: webrtc.ice_servers[0].urls: 0 of them, at least 1"),
        (ICE + "urls = 'turn:a'\n", "1: webrtc.ice_servers[0]: a turn: server needs"),
        (
            ICE + "urls = 'turn:a'\npassword = 'hunter2'\n",
            "1: webrtc.ice_servers[0]: a password needs its username",
        ),
        (
            ICE + "urls = 'turn:a'\nsecret = 'hunter\u00e9'\n",
            "3: webrtc.ice_servers[0].secret: must be printable ASCII",
        ),
        ("[webrtc]\nudp_ports = '50000'\n", "2: webrtc.udp_ports: '50000', allowed"),
        ("[webrtc]\nudp_ports = '50000-50001'\n", "2: webrtc.udp_ports: '50000-500"),
        ("[webrtc]\nadditional_hosts = ['a b']\n", "2: webrtc.additional_hosts[0]: '"),
        (f"{DOOR}effects='none'\n", "3: streams.door.effects: 'none', must be a list"),
        (f"{DOOR}effects=[3]\n", "3: streams.door.effects[0]: must be the name of "),
        (f"{DOOR}effects=[{{}}]\n", "3: streams.door.effects[0]: needs effect = NAME"),
        (f"{DOOR}max_fps = nan\n", "3: streams.door.max_fps: NaN, allowed 0 to 240"),
        (
            f"{DOOR}input = {{ format = 'y4m' }}\n",
            "3: streams.door.input: only exec: and /dev/videoN",
        ),
        (
            "[streams.a]\nsource = 'exec:x'\ninput.format = 'i420'\n",
            "1: streams.a.input: width and height must be said",
        ),
        (
            "[streams.a]\nsource = 'exec:x'\ninput = { width = 64, height = 64 }\n",
            "3: streams.a.input: width and height are for raw pictures alone",
        ),
        (
            "[streams.a]\nsource = 'exec:x'\ninput = { format = 'i420', width = 64 }\n",
            "3: streams.a.input: width and height belong together",
        ),
        (
            "[streams.a]\nsource = 'exec:x'\ninput = { format = 'rgb' }\n",
            "3: streams.a.input.format: 'rgb', allowed auto, i420, nv12, yuyv, mjpeg",
        ),
        (f"{DOOR}enabled = 0\n", "3: streams.door.enabled: 0, must be true or false"),
        (
            "[streams.a]\nsource = '/dev/video0'\ninput = { format = 'y4m' }\n",
            "3: streams.a.input: no device gives y4m",
        ),
        (f"{DOOR}rotate = 45\n", "3: streams.door.rotate: 45, allowed 0, 90, 180 or"),
        (f"{DOOR}rotate = true\n", "3: streams.door.rotate: true, must be a number"),
        (f"{DOOR}flip = 'x'\n", "3: streams.door.flip: 'x', allowed none, horizontal,"),
        (f"{DOOR}crop = 3\n", "3: streams.door.crop: 3, must be a table"),
        (f"{DOOR}crop.wdth = 1\n", "3: streams.door.crop.wdth: unknown key, did you"),
        (f"{DOOR}crop.left = 2\n", "3: streams.door.crop.left: 2, allowed 0"),
        (
            f"{DOOR}crop = {{ left = 0.5, width = 0.75 }}\n",
            "3: streams.door.crop: left + width is 1.25, at most 1",
        ),
        (
            f"{DOOR}max_fps = 1979-05-27\n",
            "3: streams.door.max_fps: 1979-05-27, allowed",
        ),
    ],
)
def test_problem_names_stream_key_found_and_allowed(text: str, problem: str) -> None:
    [found] = problems_of(text)

    assert found.startswith(f"ooblexd.toml:{problem}")


def test_command_may_have_quotes_and_backslashes() -> None:
    text = "[streams.a]\nsource = '''exec:sh -c 'echo \"a\\\\b\"' | x'''\n"

    assert parse_config(text, {}).streams["a"].source.startswith("exec:sh -c 'echo")


def test_a_whole_number_is_whole_however_it_is_written() -> None:
    text = f"{DOOR}effects=[{{ effect='blur', deadline_ms=500.0 }}]\n"

    [blur] = parse_config(text, {}).streams["door"].effects

    assert (blur.deadline_ms, type(blur.deadline_ms)) == (500, int)


def test_more_streams_than_the_daemon_can_carry_are_a_problem() -> None:
    text = "".join(f"[streams.s{n}]\nsource = 'demo:'\n" for n in range(33))

    assert problems_of(text) == ["ooblexd.toml:1: streams: 33 of them, at most 32"]


def test_missing_file_is_a_problem_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"

    assert check_config(file, {}) == [
        f"{file}: there is no such file; begin with one of config/examples"
    ]


def test_folder_in_the_place_of_the_file_is_a_problem(tmp_path: Path) -> None:
    assert check_config(tmp_path, {}) == [f"{tmp_path}: cannot be read: is a directory"]


def test_file_in_another_encoding_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes("# größe\n# ok".encode("latin-1"))

    assert check_config(file, {}) == [f"{file}:1: is not UTF-8"]


def test_file_with_byte_order_mark_and_dos_line_ends_is_read(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_bytes(b"\xef\xbb\xbf" + DOOR.replace("\n", "\r\n").encode())

    assert list(load_config(file, {}).streams) == ["door"]
