"""How old is my own webcam's picture when it comes back to my browser?

Setup: the daemon as its user has it, and headless Chromium on this machine, which
publishes 640x480 at 30 frames a second by WHIP and watches the same stream by WHEP. Its
camera is a canvas with faces (a snapshot of the demo) and a clock of sixteen bits in
the pixels, written right before the picture is captured.

Formula: the age of a picture is the browser's own clock when it is about to show it
(``requestVideoFrameCallback``) less the time in its pixels: with the browser's encoder,
jitter buffer and decoder, and everything of ours between them. ``effect_ms`` is what
the effect takes, the mean of ``ooblexd_stage_duration_seconds`` at inference.

Left out: a network, a lens and a screen. Chromium encodes and decodes in software, on
the cores that the daemon has too, and takes more of them.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

from tests.support.appliance import Appliance
from tests.support.browser import open_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

_EFFECTS = ("none", "blur_faces")
_TOML = """
[streams.desk]
source = "whip:"
effects = ["{effect}"]

[streams.faces]
source = "demo:"
effects = []
"""
_TRIP = """async ([seconds, settle]) => {
  const BITS = 16, BLOCK = 40, TOP = 440;
  const [width, height] = [BITS * BLOCK, TOP + BLOCK];
  const pause = (s) => new Promise((resolve) => setTimeout(resolve, 1000 * s));
  const faces = new Image();
  faces.src = "/streams/faces/snapshot.jpg?width=640";
  await faces.decode();
  const camera = Object.assign(document.createElement("canvas"), { width, height });
  const pen = camera.getContext("2d");
  const draw = () => {
    pen.drawImage(faces, 0, 0);
    const now = Math.round(performance.now());
    for (let bit = 0; bit < BITS; bit++) {
      pen.fillStyle = now >> bit & 1 ? "white" : "black";
      pen.fillRect(bit * BLOCK, TOP, BLOCK, BLOCK);
    }
  };
  draw();
  const [track] = camera.captureStream(30).getVideoTracks();
  setInterval(draw, 1000 / 30);
  const talk = async (path, prepare) => {
    const connection = new RTCPeerConnection();
    prepare(connection);
    await connection.setLocalDescription(await connection.createOffer());
    const headers = { "Content-Type": "application/sdp" };
    const body = connection.localDescription.sdp;
    const answer = await fetch(path, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(await answer.text());
    const sdp = await answer.text();
    await connection.setRemoteDescription({ type: "answer", sdp });
    return connection;
  };
  await talk("/streams/desk/whip", (it) => {
    it.addTransceiver(track, { direction: "sendonly" });
  });
  const video = Object.assign(document.createElement("video"), { muted: true });
  document.body.replaceChildren(video);
  await talk("/streams/desk/whep", (it) => {
    it.addTransceiver("video", { direction: "recvonly" });
    it.ontrack = ({ track: shown, receiver }) => {
      receiver.jitterBufferTarget = 0; // as /watch has it
      video.srcObject = new MediaStream([shown]);
      video.play();
    };
  });
  const seen = new OffscreenCanvas(BITS, 1);
  const glass = seen.getContext("2d", { willReadFrequently: true });
  let ages = [], isCounting = false;
  const look = () => {
    const now = performance.now();
    if (isCounting && video.videoWidth === width) {
      let then = 0;
      for (let bit = 0; bit < BITS; bit++) {
        const middle = [bit * BLOCK + BLOCK / 2 - 4, TOP + BLOCK / 2 - 4, 8, 8];
        glass.drawImage(video, ...middle, bit, 0, 1, 1);
      }
      const pixels = glass.getImageData(0, 0, BITS, 1).data;
      for (let bit = 0; bit < BITS; bit++) then |= (pixels[4 * bit] > 127) << bit;
      ages.push((now - then + 65536) % 65536);
    }
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  await pause(settle);
  isCounting = true;
  await pause(seconds);
  return ages;
}"""


class Result(NamedTuple):
    """Of one effect."""

    effect: str
    fps: float
    age_p50_ms: float
    age_p99_ms: float
    effect_ms: float


def measure(effect: str, seconds: float, settle_s: float = 5.0) -> Result:
    """Send pictures round for that long, after a while that does not count."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        appliance = stack.enter_context(Appliance(folder, _TOML.format(effect=effect)))
        page = stack.enter_context(open_browser()).new_page()
        page.goto(f"{appliance.url}/healthz")  # of the same origin, without pictures
        ages = page.evaluate(_TRIP, [seconds, settle_s])
        took_ms = _mean_ms(appliance.request("GET", "/metrics").text)
    p99_ms = quantiles(ages, n=100)[-1]
    return Result(effect, len(ages) / seconds, median(ages), p99_ms, took_ms)


def run(seconds: float = 30.0) -> Iterator[Result]:
    """Measure without an effect and with one."""
    for effect in _EFFECTS:
        yield measure(effect, seconds)


def test_a_round_trip_can_be_measured() -> None:
    found = measure("none", seconds=1, settle_s=2)

    assert found.fps > 0
    assert found.age_p50_ms < 5000  # else it is no clock that was read


def _mean_ms(metrics: str) -> float:
    """Return how long inference took for a picture of the desk."""
    kind = r'ooblexd_stage_duration_seconds_{}{{stage="inference",stream="desk"}} (\S+)'
    total, count = (re.search(kind.format(part), metrics) for part in ("sum", "count"))
    assert total is not None
    assert count is not None
    return 1000 * float(total[1]) / max(float(count[1]), 1)
