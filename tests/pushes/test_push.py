"""Pushes to real servers and commands."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import monotonic_ns
from ooblexd.counters import PushState
from ooblexd.frame import Verdict
from ooblexd.plan import PushPlan
from ooblexd.pushes.push import Push, PushGate
from tests.support.cameras import require_ffmpeg
from tests.support.encoded import Picture, fed
from tests.support.processes import eventually
from tests.support.rtmp_server import RtmpServer, probed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ooblexd.audio import AudioPacket
    from ooblexd.frame import FrameHeader
    from ooblexd.plan import PushFormat

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with RtmpServer(tmp_path_factory.mktemp("nginx")) as running:
        yield running


def always(_: FrameHeader | AudioPacket) -> bool:
    return True


GATE = PushGate(always, always)


def push_to(url: str, push_format: PushFormat = "mpegts") -> Push:
    return Push(PushPlan(url, push_format), "test", GATE)


def await_state(push: Push, state: PushState, within_s: float = 20) -> None:
    eventually(lambda: push.status.state is state, within_s)


def test_a_server_gets_the_picture_and_a_silent_track(server: RtmpServer) -> None:
    require_ffmpeg()
    with fed(push_to(f"{server.url}/live/key"), Picture()) as push:
        await_state(push, PushState.RUNNING)
        expected = ["aac", "h264 320x180"]
        eventually(lambda: probed(f"{server.url}/live/key") == expected)
        eventually(lambda: push.status.sent > 10)
        assert push.status.reason == ""


def test_another_size_is_another_broadcast_at_once(server: RtmpServer) -> None:
    require_ffmpeg()
    picture = Picture()
    with fed(push_to(f"{server.url}/live/sizes"), picture) as push:
        await_state(push, PushState.RUNNING)
        picture.size = (640, 360)
        eventually(lambda: "h264 640x360" in probed(f"{server.url}/live/sizes"))
        assert push.status.state is PushState.RUNNING


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/nothing/key", "closed the connection at once"),
        ("/closed/key", "closed the connection at once"),
    ],
)
def test_who_is_not_let_in_is_told(server: RtmpServer, place: str, reason: str) -> None:
    with fed(push_to(f"{server.url}{place}"), Picture()) as push:
        await_state(push, PushState.WAITING)
        assert reason in push.status.reason
        assert "key right" in push.status.reason


def test_a_server_that_hangs_delays_nobody_and_no_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        push = push_to(f"rtmp://127.0.0.1:{port}/live/key")
        with fed(push, Picture()):
            silent.settimeout(20)
            end, _ = silent.accept()  # and it never says a word
            since_ns = monotonic_ns()
            push.end()
            push.join(10)
            assert push.status.state is PushState.CONNECTING
            assert monotonic_ns() - since_ns < 5e9
            end.close()


def test_a_broadcast_begins_with_a_live_picture(server: RtmpServer) -> None:
    picture = Picture()
    picture.verdict = Verdict.SLATE
    with fed(push_to(f"{server.url}/live/begins"), picture) as push:
        eventually(lambda: push.status.dropped == 0 and push.is_wanting)
        assert push.status.sent == 0
        picture.verdict = Verdict.LIVE
        await_state(push, PushState.RUNNING)


@pytest.mark.parametrize(
    ("push_format", "demuxer"),
    [("mpegts", "mpegts"), ("h264", "h264"), ("y4m", "yuv4mpegpipe")],
)
def test_a_command_reads_what_it_was_promised(
    tmp_path: Path, push_format: PushFormat, demuxer: str
) -> None:
    require_ffmpeg()
    out = tmp_path / "out.mkv"
    reading = f"-f {demuxer} -analyzeduration 500000 -i -"
    command = f"ffmpeg -v error {reading} -frames:v 25 -c:v mjpeg {out}"
    with fed(push_to(f"exec:{command}", push_format), Picture()) as push:
        await_state(push, PushState.WAITING)
        assert push.status.reason == "the command ended"
    assert probed(str(out)) == ["mjpeg 320x180"]


def test_a_command_is_told_of_in_its_own_words_and_ends_with_its_push() -> None:
    with fed(push_to("exec:no-such-command -"), Picture()) as push:
        await_state(push, PushState.WAITING)
        assert push.status.reason == "there is no command no-such-command"
    marker = "86399.25"
    with fed(push_to(f"exec:sleep {marker}"), Picture()) as push:
        eventually(lambda: push.status.sent > 0)
    find = [shutil.which("pgrep") or "pgrep", "-f", f"^sleep {marker}"]
    assert subprocess.run(find, check=False, capture_output=True).returncode == 1


def test_a_server_that_cannot_prove_who_it_is_gets_no_key(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-days", "2", "-nodes"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    made += ["ec_paramgen_curve:prime256v1", *subject]
    subprocess.run(
        [*made, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said: list[bytes] = []

        def serve() -> None:
            end, _ = listener.accept()
            with suppress(OSError), context.wrap_socket(end, server_side=True) as tls:
                said.append(tls.recv(1))
            end.close()

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        with fed(push_to(f"rtmps://127.0.0.1:{port}/live/key"), Picture()) as push:
            await_state(push, PushState.FAILED)
            assert "certificate is not to be trusted" in push.status.reason
        thread.join(5)
    assert not any(said)
