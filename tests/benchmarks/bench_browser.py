"""Does a browser that watches for a minute see every picture, and no standstill?

Setup: the daemon as its user has it, a camera by HTTP (JPEG) of 1280x720 at 30 frames a
second, no effects, and headless Chromium on this machine, which watches by WHEP and
decodes in software.

Formula: frames a second are those that Chromium has decoded; freezes, dropped and lost
are what it says of them itself (``getStats``, of WebRTC). A freeze is a picture that
stood for 150 ms longer than the mean, or three times as long.

Left out: a network, and a screen. Camera, browser and daemon share the cores, and
Chromium alone takes most of one.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.appliance import Appliance
from tests.support.browser import open_browser
from tests.support.numbered import make_units, numbered_camera

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIZE, _UNITS = (1280, 720), 300
_WATCH = """async ([seconds, settle]) => {
  const connection = new RTCPeerConnection();
  connection.addTransceiver("video", { direction: "recvonly" });
  const video = Object.assign(document.createElement("video"), { muted: true });
  document.body.replaceChildren(video);
  connection.ontrack = ({ track }) => {
    video.srcObject = new MediaStream([track]);
    video.play();
  };
  await connection.setLocalDescription(await connection.createOffer());
  const answer = await fetch("/streams/door/whep", {
    method: "POST",
    headers: { "Content-Type": "application/sdp" },
    body: connection.localDescription.sdp,
  });
  const sdp = await answer.text();
  await connection.setRemoteDescription({ type: "answer", sdp });
  const numbers = async () => {
    const report = [...(await connection.getStats()).values()];
    return report.find((one) => one.type === "inbound-rtp" && one.kind === "video");
  };
  const pause = (s) => new Promise((resolve) => setTimeout(resolve, 1000 * s));
  await pause(settle);
  const before = await numbers();
  await pause(seconds);
  const after = await numbers();
  connection.close();
  const grown = (key) => after[key] - before[key];
  const seconds_passed = grown("timestamp") / 1000;
  return {
    fps: grown("framesDecoded") / seconds_passed,
    freezes: grown("freezeCount"),
    dropped: grown("framesDropped"),
    packets_lost: grown("packetsLost"),
  };
}"""


class Result(NamedTuple):
    """Of one browser."""

    seconds: float
    fps: float
    freezes: int
    dropped: int
    packets_lost: int


def measure(units: Path, seconds: float, settle_s: float = 5.0) -> Result:
    """Watch a daemon of its own for that long, after a while that does not count."""
    with contextlib.ExitStack() as stack:
        camera = stack.enter_context(numbered_camera(units))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        toml = f'[streams.door]\nsource = "{camera.url}"\neffects = []\n'
        appliance = stack.enter_context(Appliance(folder, toml))
        page = stack.enter_context(open_browser()).new_page()
        page.goto(
            f"{appliance.url}/watch/nobody"
        )  # of the same origin, without pictures
        return Result(seconds, **page.evaluate(_WATCH, [seconds, settle_s]))


def run(seconds: float = 60.0) -> Iterator[Result]:
    """Watch for a minute."""
    with tempfile.TemporaryDirectory() as name:
        make_units(Path(name), "jpg", size=_SIZE, count=_UNITS)
        yield measure(Path(name) / "jpg", seconds)


def test_a_browser_that_watches_can_be_measured(tmp_path: Path) -> None:
    make_units(tmp_path, "jpg", size=_SIZE, count=60)

    assert measure(tmp_path / "jpg", seconds=1, settle_s=0.5).fps > 0
