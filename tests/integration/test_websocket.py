"""Chromium sends pictures by WebSocket and draws what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import Appliance
from tests.support.browser import open_browser, open_page
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)
TOML = """
[streams.desk]
source = "upload:"
effects = ["grayscale"]
"""
# Waits for each answer before it sends the next; draws each live picture.
SCRIPT = """
async () => {
  const canvas = new OffscreenCanvas(320, 240);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "red";
  pen.fillRect(0, 0, 320, 240);
  const file = await canvas.convertToBlob({ type: "image/jpeg" });
  const socket = new WebSocket(`ws://${location.host}/streams/desk/ws`);
  socket.binaryType = "arraybuffer";
  const seen = { answers: [], sizes: [], colours: [], order: true };
  let last = 0n;
  await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send(file);
    socket.onclose = (event) => reject(new Error(`${event.code} ${event.reason}`));
    socket.onmessage = async ({ data }) => {
      if (typeof data === "string") {
        seen.answers.push(JSON.parse(data).status);
        setTimeout(() => socket.readyState === 1 && socket.send(file), 20);
        return;
      }
      const header = new DataView(data);
      const start = header.getUint16(2, true), size = header.getUint32(28, true);
      if (header.getUint8(1) !== 1) return;
      seen.order &&= header.getBigUint64(8, true) > last;
      last = header.getBigUint64(8, true);
      const picture = await createImageBitmap(new Blob([data.slice(start)]));
      pen.drawImage(picture, 0, 0);
      const isWhole = start + size === data.byteLength;
      seen.sizes.push([isWhole, picture.width, picture.height]);
      seen.colours.push([...pen.getImageData(160, 120, 1, 1).data]);
      if (seen.colours.length === 20) resolve();
    };
  });
  socket.onclose = null;
  socket.close();
  return seen;
}
"""


def test_a_browser_sends_and_draws(tmp_path: Path) -> None:
    with Appliance(tmp_path, TOML) as appliance, open_browser() as browser:
        eventually(lambda: appliance.stream("desk")["state"] == "waiting")
        with open_page(browser, appliance.url + "/docs") as page:
            seen = page.evaluate(SCRIPT)
        metrics = appliance.request("GET", "/metrics").text

    assert set(seen["answers"]) <= {202, 429}
    assert seen["order"]
    assert set(map(tuple, seen["sizes"])) == {(True, 320, 240)}
    for red, green, blue, _ in seen["colours"]:  # red came in, its grey goes out
        assert 50 < red < 100
        assert max(abs(red - green), abs(green - blue)) < 10
    frames = 'ooblexd_viewer_frames_total{protocol="websocket",stream="desk"}'
    assert frames in metrics
