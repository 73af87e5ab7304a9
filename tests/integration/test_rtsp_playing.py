"""Players read streams by RTSP, see what the others see, and hurt nobody."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from contextlib import ExitStack
from itertools import dropwhile, islice
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest

from ooblexd.control.rtsp_playing import MOST_PLAYERS
from ooblexd.sources.pixelclock import read_stamp
from tests.support.appliance import Appliance
from tests.support.centerface import pictures_with_faces
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually
from tests.support.publishers import ffmpeg as publishing
from tests.support.publishers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

TOML = """
[rtsp]
port = {port}

[streams.demo]
source = "demo:"
effects = []

[streams.bare]
source = "demo:"
max_fps = 10
effects = []

[streams.off]
source = "demo:"
enabled = false

[streams.yard]
source = "rtsp-listen://127.0.0.1:{port}/yard"
effects = []
"""
TCP = {"rtsp_transport": "tcp"}
_RESET = struct.pack("ii", 1, 0)  # instead of goodbye, once it is closed

pytestmark = pytest.mark.timeout(90)


class Box:
    """A daemon whose streams are played."""

    def __init__(self, appliance: Appliance, port: int) -> None:
        self.appliance = appliance
        self.port = port

    def url(self, stream: str) -> str:
        """Return where a stream is played."""
        return f"rtsp://127.0.0.1:{self.port}/{stream}"

    def viewers(self, stream: str) -> int:
        """Return how many play it."""
        text = self.appliance.request("GET", "/metrics").text
        found = re.search(
            rf'^ooblexd_viewers{{protocol="rtsp",stream="{stream}"}} (\d+)',
            text,
            re.MULTILINE,
        )
        assert found
        return int(found[1])


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    port = free_port()
    with Appliance(tmp_path_factory.mktemp("rtsp"), TOML.format(port=port)) as running:
        eventually(lambda: running.stream("demo")["state"] == "running")
        yield Box(running, port)


def run(*command: str) -> str:
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"apt install {command[0]} (gst: gstreamer1.0-tools)")
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, timeout=40, check=True
    )
    return done.stdout


def test_ffmpeg_reads_every_picture_in_order(box: Box) -> None:
    read = ("-v", "error", "-rtsp_transport", "tcp", "-i", box.url("demo"))
    made = run("ffmpeg", *read, "-frames:v", "60", "-c", "copy", "-f", "framemd5", "-")

    lines = [line.split(",") for line in made.splitlines() if line[:1] == "0"]
    assert len(lines) == 60
    # To the first picture of any RTSP FFmpeg's parser gives no time.
    times = [int(line[2]) for line in lines[1:]]
    assert times == sorted(set(times))


def test_gstreamer_asks_for_udp_and_gets_tcp(box: Box, tmp_path: Path) -> None:
    copy = tmp_path / "copy.ts"  # Matroska bears no encoder that begins anew
    chain = (
        f"rtspsrc location={box.url('demo')} ! rtph264depay ! h264parse ! "
        "video/x-h264,stream-format=byte-stream,alignment=au ! "
        f"identity eos-after=61 ! mpegtsmux ! filesink location={copy}"
    )
    run("gst-launch-1.0", "-q", *chain.split())

    with av.open(str(copy)) as container:
        times = [picture.pts or 0 for picture in container.decode(video=0)]
    assert len(times) >= 58, "61 NAL units or pictures went by, one may lie in between"
    assert times == sorted(set(times))


def test_a_stream_is_published_and_played_at_the_same_door(box: Box) -> None:
    with publishing(box.url("yard"), form="rtsp"):
        eventually(lambda: box.appliance.stream("yard")["state"] == "running")
        with av.open(box.url("yard"), options=TCP) as container:
            for _ in islice(container.decode(video=0), 10):
                assert box.viewers("yard") == 1
    eventually(lambda: box.viewers("yard") == 0)


def taken_since(
    since_us: int, pictures: Iterator[av.VideoFrame]
) -> Iterator[av.VideoFrame]:
    """Return pictures from the first on that was taken later, as its clock tells.

    Those before it were sent before, and lay with FFmpeg or on the way to it.
    """

    def is_former(picture: av.VideoFrame) -> bool:
        planes = picture.to_ndarray(format="yuv420p")
        stamp = read_stamp(np.asarray(planes[: picture.height], np.uint8))
        return stamp is None or stamp.unix_us <= since_us

    return dropwhile(is_former, pictures)


def test_of_the_former_chain_nothing_comes_after_the_answer(box: Box) -> None:
    jpegs = []
    with av.open(box.url("bare"), options=TCP) as container:
        container.streams.video[0].thread_type = "SLICE"  # decodes each at once
        pictures = container.decode(video=0)
        next(pictures)
        path = "/api/v1/streams/bare/effects"
        box.appliance.request("PUT", path, ["blur_faces"])
        answered_us = time.time_ns() // 1000
        for picture in islice(taken_since(answered_us, pictures), 25):
            bgr = picture.to_ndarray(format="bgr24")
            jpegs.append(cv2.imencode(".jpg", bgr)[1].tobytes())
    assert not pictures_with_faces(jpegs)


def test_it_goes_on_when_the_encoder_is_killed(box: Box) -> None:
    with av.open(box.url("demo"), options=TCP) as container:
        packets = container.demux(video=0)
        next(packets)  # which has no time either
        former = hit(box.appliance, "output:demo", signal.SIGKILL)
        eventually(lambda: is_replaced(box.appliance, "output:demo", former))
        times = [packet.pts or 0 for packet in islice(packets, 90)]
    assert len(times) == 90
    assert times == sorted(set(times))


def test_a_stream_that_is_removed_ends(box: Box) -> None:
    table = {"name": "more", "source": "demo:", "effects": []}
    assert box.appliance.request("POST", "/api/v1/streams", table).status_code == 201
    eventually(lambda: box.appliance.stream("more")["state"] == "running")
    with av.open(box.url("more"), options=TCP) as container:
        packets = container.demux(video=0)
        next(packets)
        box.appliance.request("DELETE", "/api/v1/streams/more", {})
        with contextlib.suppress(av.FFmpegError):  # how FFmpeg may call it
            for _ in packets:
                pass


def asked(box: Box, *requests: str) -> list[int]:
    """Return the status of the answer to each request; 0 where none comes."""
    with (
        socket.create_connection(("127.0.0.1", box.port), 15) as end,
        end.makefile("rb") as stream,
    ):
        return [answer_to(box, request, end, stream) for request in requests]


def answer_to(
    box: Box, request: str, end: socket.socket, stream: BufferedReader
) -> int:
    head, _, more = request.partition("\n")
    method, _, name = head.partition(" ")
    headers = ["CSeq: 1", more] if more else ["CSeq: 1"]
    lines = [f"{method} {box.url(name)} RTSP/1.0", *headers, "", ""]
    try:
        end.sendall("\r\n".join(lines).encode())
        first = answer = stream.readline()
        length = 0
        while answer.strip():
            answer = stream.readline()
            if answer.lower().startswith(b"content-length:"):
                length = int(answer.split(b":")[1])
        stream.read(length)
    except ConnectionError:
        return 0
    return int(first.split()[1]) if first else 0


TCP_SETUP = "SETUP demo/trackID=0\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3"
UDP_SETUP = "SETUP demo/trackID=0\nTransport: RTP/AVP;unicast;client_port=5000-5001"


@pytest.mark.parametrize(
    ("requests", "statuses"),
    [
        (("OPTIONS demo", "DESCRIBE nobody"), [200, 404]),
        (("DESCRIBE off",), [503]),
        (("SETUP demo",), [455]),
        (("DESCRIBE demo", "PLAY demo"), [200, 455]),
        (("DESCRIBE demo", TCP_SETUP.replace("=0", "=1")), [200, 404]),
        (("DESCRIBE demo", TCP_SETUP.replace("=0", "=7")), [200, 404]),
        (("DESCRIBE demo", TCP_SETUP.replace("=0", "=" + "7" * 5000)), [200, 404]),
        (
            ("DESCRIBE demo", UDP_SETUP, TCP_SETUP, "PAUSE demo", "PLAY demo"),
            [200, 461, 200, 405, 200],
        ),
        (("DESCRIBE demo", "ANNOUNCE demo", "TEARDOWN demo", "OPTIONS demo"), None),
        (("hello world",), [0]),
    ],
)
def test_who_asks_wrongly_is_told(
    box: Box, requests: tuple[str, ...], statuses: list[int] | None
) -> None:
    assert asked(box, *requests) == (statuses or [200, 405, 200, 0])


def test_who_says_goodbye_and_does_not_wait_for_the_answer_is_no_bug(box: Box) -> None:
    lines = [f"DESCRIBE {box.url('demo')} RTSP/1.0\r\nCSeq: 1\r\n\r\n"]
    lines += [f"OPTIONS {box.url('demo')} RTSP/1.0\r\nCSeq: 2\r\n\r\n"] * 20
    with socket.create_connection(("127.0.0.1", box.port), 15) as end:
        end.sendall("".join(lines).encode())
        end.recv(1)  # so that it is answering
    assert asked(box, "DESCRIBE demo", "TEARDOWN demo") == [200, 200]
    assert "bug" not in box.appliance.log()


def test_who_asks_and_vanishes_is_no_bug(box: Box) -> None:
    describe = f"DESCRIBE {box.url('demo')} RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", box.port), 15) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.sendall(describe.encode())
    assert asked(box, "DESCRIBE demo") == [200]
    assert "bug" not in box.appliance.log()


def test_who_asks_and_does_not_play_holds_no_place(box: Box) -> None:
    describe = f"DESCRIBE {box.url('demo')} RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    with ExitStack() as crowd:
        for _ in range(MOST_PLAYERS):
            end = socket.create_connection(("127.0.0.1", box.port), 15)
            crowd.enter_context(end).sendall(describe.encode())
            assert end.recv(12) == b"RTSP/1.0 200"

        assert asked(box, "DESCRIBE demo", TCP_SETUP, "PLAY demo") == [200, 200, 200]


def test_a_crowd_that_asks_and_never_reads_harms_nobody(box: Box) -> None:
    flood = (
        f"DESCRIBE {box.url('demo')} RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        f"SETUP {box.url('demo')} RTSP/1.0\r\nCSeq: 2\r\n"
        "Transport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
        f"PLAY {box.url('demo')} RTSP/1.0\r\nCSeq: 3\r\n\r\n"
    ) + f"OPTIONS {box.url('demo')} RTSP/1.0\r\nCSeq: 4\r\n\r\n" * 500
    with ExitStack() as crowd:
        container = crowd.enter_context(av.open(box.url("demo"), options=TCP))
        packets = container.demux(video=0)
        ends = [
            crowd.enter_context(socket.create_connection(("127.0.0.1", box.port)))
            for _ in range(70)
        ]
        for end in ends:
            end.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                end.send(flood.encode())
        began_s = time.monotonic()
        assert len(list(islice(packets, 90))) == 90
        assert time.monotonic() - began_s < 40
        assert 1 < box.viewers("demo") <= MOST_PLAYERS
    eventually(lambda: box.viewers("demo") == 0)
