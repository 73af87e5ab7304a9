"""An RTSP camera of real software: GStreamer's RTSP server, looping encoded clips.

Run by Debian's own Python, which has its bindings::

    /usr/bin/python3 tests/support/rtsp_camera.py FOLDER

FOLDER holds ``clip.264``, ``clip.265``, ``clip.mjpeg`` and ``resized.264``, elementary
streams of 25 fps. When it serves it prints ``ready NONE BASIC DIGEST``, the ports of
three servers that differ in the login they ask for (``admin``, ``s3cr@t/%``), and it
ends when its standard input closes. Each server has these mounts:

=============  ======================================================
/h264          any transport
/h265          likewise
/mjpeg         likewise
/udponly       H.264; answers 461 to TCP
/av            H.264 beside an audio track
/audio         an audio track alone
/resized       H.264 whose size changes each second
/frozen        H.264 that delivers for a second and then nothing
/ending        H.264 that ends after a second
=============  ======================================================
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import (  # noqa: E402 - the versions must be chosen before
    GLib,
    Gst,
    GstApp,  # noqa: F401 - importing it gives appsrc its signals
    GstRtsp,
    GstRtspServer,
)

FPS = 25
USER, PASSWORD = "admin", "s3cr@t/%"
AUDIO = "audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay{number} pt={pt}"

CODECS = {
    ".264": (
        "video/x-h264,stream-format=byte-stream,alignment=au",
        "h264parse",
        "h264parse ! rtph264pay config-interval=1",
    ),
    ".265": (
        "video/x-h265,stream-format=byte-stream,alignment=au",
        "h265parse",
        "h265parse ! rtph265pay config-interval=1",
    ),
    ".mjpeg": ("image/jpeg", "jpegparse", "jpegparse ! rtpjpegpay"),
}


def access_units(clip: Path) -> list[bytes]:
    """Split an elementary stream into what one picture needs."""
    caps, parse, _ = CODECS[clip.suffix]
    pipeline = Gst.parse_launch(
        f"filesrc location={clip} ! {parse} ! {caps} ! appsink name=out sync=false"
    )
    out = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    units = []
    while (sample := out.emit("pull-sample")) is not None:
        buffer = sample.get_buffer()
        units.append(buffer.extract_dup(0, buffer.get_size()))
    pipeline.set_state(Gst.State.NULL)
    return units


def clip_factory(clip: Path, beside: str = "", after: str = "go on") -> Any:
    """Return a mount that loops ``clip``; ``after`` a second it may freeze or end."""
    caps, _, pay = CODECS[clip.suffix]
    units = access_units(clip)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(after == "go on")
    factory.set_launch(
        "( appsrc name=src is-live=true format=time "
        f'caps="{caps},framerate={FPS}/1" ! {pay} name=pay0 pt=96 {beside} )'
    )

    def push(source: Any, _wanted_bytes: int, position: list[int]) -> None:
        number = position[0]
        position[0] += 1
        if after != "go on" and number >= FPS:
            if after == "end":
                source.emit("end-of-stream")
            return
        buffer = Gst.Buffer.new_wrapped(units[number % len(units)])
        buffer.pts = buffer.dts = number * Gst.SECOND // FPS
        buffer.duration = Gst.SECOND // FPS
        source.emit("push-buffer", buffer)

    def configure(_factory: Any, media: Any) -> None:
        source = media.get_element().get_by_name_recurse_up("src")
        source.connect("need-data", push, [0])

    factory.connect("media-configure", configure)
    return factory


def audio_factory() -> Any:
    """Return a mount without video."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {AUDIO.format(number=0, pt=8)} )")
    return factory


def all_mounts(folder: Path) -> dict[str, Any]:
    """Return a fresh factory for each mount."""
    h264 = folder / "clip.264"
    udp_only = clip_factory(h264)
    udp_only.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    return {
        "/h264": clip_factory(h264),
        "/h265": clip_factory(folder / "clip.265"),
        "/mjpeg": clip_factory(folder / "clip.mjpeg"),
        "/udponly": udp_only,
        "/av": clip_factory(h264, beside=AUDIO.format(number=1, pt=8)),
        "/audio": audio_factory(),
        "/resized": clip_factory(folder / "resized.264"),
        "/frozen": clip_factory(h264, after="freeze"),
        "/ending": clip_factory(h264, after="end"),
    }


def login(method: str) -> Any:
    """Return what asks for the login; an unknown guest sees 401, not 404."""
    auth = GstRtspServer.RTSPAuth()
    guest, user = GstRtspServer.RTSPToken(), GstRtspServer.RTSPToken()
    guest.set_string("media.factory.role", "guest")
    user.set_string("media.factory.role", "user")
    auth.set_default_token(guest)
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(USER, PASSWORD, user)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(USER, PASSWORD), user)
    return auth


def permissions(method: str) -> Any:
    """Let users in, and guests only where no login is asked for."""
    roles = GstRtspServer.RTSPPermissions()
    for role, may_watch in (("user", True), ("guest", method == "none")):
        roles.add_permission_for_role(role, "media.factory.access", True)
        roles.add_permission_for_role(role, "media.factory.construct", may_watch)
    return roles


def serve(folder: Path, method: str) -> Any:
    """Start one server on a port that the kernel chooses."""
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    mounts = server.get_mount_points()
    for path, factory in all_mounts(folder).items():
        factory.set_permissions(permissions(method))
        mounts.add_factory(path, factory)
    server.set_auth(login(method))
    server.attach(None)
    return server


def main() -> None:
    """Serve until standard input closes."""
    Gst.init(None)
    folder = Path(sys.argv[1])
    servers = [serve(folder, method) for method in ("none", "basic", "digest")]
    ports = " ".join(str(server.get_bound_port()) for server in servers)
    print(f"ready {ports}", flush=True)  # noqa: T201 - told to whoever started it
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin, GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    main()
