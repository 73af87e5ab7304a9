"""A camera whose pictures are numbered in their pixels; it says when it sent each.

Run by Debian's own Python for RTSP, which has GStreamer's bindings::

    /usr/bin/python3 tests/support/numbered_camera.py UNITS FPS ANNOUNCED ADDRESS

UNITS is a folder of files, in order: one access unit of H.264 (``*.264``), one of H.265
(``*.265``) or one JPEG (``*.jpg``) each. They are sent in a loop, FPS a second, by RTSP
that says ANNOUNCED, or by HTTP as parts. It prints ``ready PORT`` and then, for each
picture, ``NUMBER UNIX_US`` just before it is handed to the network, and it ends when
its standard input closes.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def say(text: str) -> None:
    """Print a line at once; a reader that has gone ends the camera."""
    try:
        os.write(1, f"{text}\n".encode())
    except OSError:
        os._exit(0)


def serve_rtsp(units: list[bytes], codec: str, fps: int, announced: int) -> None:
    """Serve H.264 or H.265, each picture as soon as it is there."""
    import gi  # noqa: PLC0415 - HTTP needs none

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    gi.require_version("GstApp", "1.0")
    from gi.repository import (  # noqa: PLC0415 - likewise
        GLib,
        Gst,
        GstApp,  # noqa: F401 - importing it gives appsrc its signals
        GstRtspServer,
    )

    Gst.init(None)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    factory.set_launch(
        "( appsrc name=src is-live=true do-timestamp=true format=time caps="
        f'"video/x-{codec},stream-format=byte-stream,alignment=au,'
        f'framerate={announced}/1" '
        f"! {codec}parse ! rtp{codec}pay config-interval=1 name=pay0 pt=96 )"
    )

    def configure(_factory: Any, media: Any) -> None:
        source = media.get_element().get_by_name_recurse_up("src")
        threading.Thread(target=push, args=(source,), daemon=True).start()

    def push(source: Any) -> None:
        for number in paced(fps):
            buffer = Gst.Buffer.new_wrapped(units[number % len(units)])
            say(f"{number} {time.time_ns() // 1000}")
            source.emit("push-buffer", buffer)

    factory.connect("media-configure", configure)
    server = GstRtspServer.RTSPServer()
    server.set_address(sys.argv[4])
    server.set_service("0")
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    say(f"ready {server.get_bound_port()}")
    GLib.MainLoop().run()


def serve_http(pictures: list[bytes], fps: int) -> None:
    """Serve JPEG as parts."""

    class Request(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # its reader has left
                self.send_parts()

        def send_parts(self) -> None:
            for number in paced(fps):
                jpeg = pictures[number % len(pictures)]
                head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                say(f"{number} {time.time_ns() // 1000}")
                self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((sys.argv[4], 0), Request)
    say(f"ready {server.server_port}")
    server.serve_forever()


def paced(fps: int) -> Iterator[int]:
    """Count pictures, each at its time."""
    start_s = time.monotonic()
    number = 0
    while True:
        pause_s = start_s + number / fps - time.monotonic()
        if pause_s > 0:
            time.sleep(pause_s)  # noqa: TID251 - a pace is pauses
        yield number
        number += 1


def end_with_the_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    files = sorted(Path(sys.argv[1]).iterdir())
    units = [path.read_bytes() for path in files]
    threading.Thread(target=end_with_the_input, daemon=True).start()
    fps, announced = int(sys.argv[2]), int(sys.argv[3])
    if files[0].suffix == ".jpg":
        serve_http(units, fps)
    else:
        serve_rtsp(units, f"h{files[0].suffix[1:]}", fps, announced)


if __name__ == "__main__":
    main()
