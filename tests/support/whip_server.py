"""A WHIP server whose WebRTC is a real browser's: it answers, decodes and counts."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

TOKEN = "s3cret-token"  # noqa: S105 # of this server
# Else its candidates are names that only multicast DNS could tell.
SHOWS_ADDRESSES = "--disable-features=WebRtcHideLocalIpsWithMdns"
_ANSWER = """async (offer) => {
  const pc = new RTCPeerConnection();
  window.pc = pc;
  const video = document.createElement("video");
  video.muted = video.autoplay = true;
  document.body.append(video);
  window.video = video;
  video.srcObject = new MediaStream();
  pc.ontrack = ({ track }) => video.srcObject.addTrack(track);
  await pc.setRemoteDescription({ type: "offer", sdp: offer });
  await pc.setLocalDescription(await pc.createAnswer());
  while (pc.iceGatheringState !== "complete") {
    await new Promise((done) => { pc.onicegatheringstatechange = done; });
  }
  return pc.localDescription.sdp;
}"""
_STATS = """async (kind) => {
  for (const one of (await pc.getStats()).values()) {
    if (one.type === "inbound-rtp" && one.kind === kind) return one;
  }
  return {};
}"""


class WhipServer:
    """Answers by HTTP in threads of its own; the page belongs to the test's thread."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.deleted = threading.Event()
        self.offers: queue.Queue[tuple[str, Future[str]]] = queue.Queue()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.http.server_address[1]}/cam/whip"

    def decoded(self) -> int:
        """Answer who has come meanwhile; return how many frames were decoded."""
        while not self.offers.empty():
            offer, answer = self.offers.get()
            answer.set_result(self.page.evaluate(_ANSWER, offer))
        if self.page.evaluate("typeof pc === 'undefined'"):
            return 0
        return int(self.stats().get("framesDecoded", 0))

    def stats(self, kind: str = "video") -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate(_STATS, kind)
        return found

    def heard_samples(self) -> int:
        """Return how many samples of sound were decoded, and not made up."""
        stats = self.stats("audio")
        made_up = stats.get("concealedSamples", 0)
        return int(stats.get("totalSamplesReceived", 0) - made_up)

    def await_frames(self, count: int) -> None:
        eventually(lambda: self.decoded() >= count)


@contextmanager
def whip_server(browser: Browser) -> Iterator[WhipServer]:
    page = browser.new_page()
    server = WhipServer(page)
    thread = threading.Thread(target=server.http.serve_forever, daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    page.close()


def _handler_of(server: WhipServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._say(401)
                return
            answer: Future[str] = Future()
            server.offers.put((offer, answer))
            self._say(201, answer.result(15), Location="/session/1")

        def do_DELETE(self) -> None:
            server.deleted.set()
            self._say(200)

        def _say(self, status: int, body: str = "", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
