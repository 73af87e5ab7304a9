"""Codecs, by trial: each decodes a picture, or encodes one.

That a codec is compiled in says nothing of whether it works on this box, and a driver
may end the process that asks. The samples are one grey picture each, 64x64 pixels
(MJPEG: 16x16), made by libx264, libx265 and FFmpeg's mjpeg.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av

from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.clock import NS_PER_MS, monotonic_ns

DECODERS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG"}
SOFTWARE_ENCODERS = ("libx264",)
HARDWARE_ENCODERS = ("h264_v4l2m2m", "h264_nvenc")
_SAMPLES = {
    "h264": (
        "000000016742c00ada109a1000000300100000030328f1226a0000000168ce0fc80000000165"
        "88843a272727275d75d75d75d75d75d780"
    ),
    "hevc": (
        "0000000140010c01ffff01600000030090000003000003001e95940900000001420101016000"
        "00030090000003000003001ea0208105965654a4c2e68080000003008000000c840000000144"
        "01c073c0890000012801ac760ddd20bc"
    ),
    "mjpeg": (
        "ffd8fffe00104c61766336322e32382e31303200ffdb00430008040404040405050505050506"
        "0606060606060606060606060707070808080707070606070708080808090909080808080909"
        "0a0a0a0c0c0b0b0e0e0e111114ffc4004a000100000000000000000000000000000000010100"
        "0000000000000000000000000000001001000000000000000000000000000000001101000000"
        "00000000000000000000000000ffc00011080010001003012200021100031100ffda000c0301"
        "0002110311003f00000fffd9"
    ),
}
_REINSTALL = "pip install --force-reinstall --only-binary av av (its wheel has it)"
_WIDTH, _HEIGHT = 640, 360
_GREY = 128


def check_decoder(codec: str) -> list[Finding]:
    """Decode one picture of ``codec`` and look at it."""
    name = f"{DECODERS[codec]} decode"
    try:
        context = _open(codec, "r")
        packet = av.Packet(bytes.fromhex(_SAMPLES[codec]))
        frames = [*context.decode(packet), *context.decode(None)]
    except (av.FFmpegError, ValueError) as exc:
        return [fail(name, f"does not work: {_reason(exc)}", _REINSTALL)]
    if not frames or bytes(frames[0].planes[0])[0] != _GREY:
        return [fail(name, "gives a wrong picture", _REINSTALL)]
    return [ok(name, "works, in software")]


def check_software_encoder(codec: str) -> list[Finding]:
    """Encode one picture by ``codec``."""
    name = f"{codec} encode"
    try:
        took_ms = _encode(codec)
    except (av.FFmpegError, ValueError) as exc:
        return [warn(name, f"does not work: {_reason(exc)}", _REINSTALL)]
    return [ok(name, f"works: {_WIDTH}x{_HEIGHT} in {took_ms:.0f} ms")]


def check_hardware_encoder(codec: str) -> list[Finding]:
    """Encode one picture by ``codec``, which most boxes do not have."""
    name = f"{codec} encode"
    try:
        took_ms = _encode(codec)
    except (av.FFmpegError, ValueError) as exc:
        return [ok(name, f"not on this box ({_reason(exc)})")]
    return [ok(name, f"works: {_WIDTH}x{_HEIGHT} in {took_ms:.0f} ms")]


def _encode(codec: str) -> float:
    """Encode one picture and return how long it took from opening on, in ms."""
    began_ns = monotonic_ns()
    context = _open(codec, "w")
    context.width, context.height = _WIDTH, _HEIGHT
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, 30)
    context.options = {"preset": "ultrafast"} if codec == "libx264" else {}
    frame = av.VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([_GREY]) * plane.buffer_size)
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    if not any(bytes(packet) for packet in packets):
        raise ValueError("it gives nothing")
    return (monotonic_ns() - began_ns) / NS_PER_MS


def _open(codec: str, mode: Literal["r", "w"]) -> av.VideoCodecContext:
    context = av.CodecContext.create(codec, mode)
    assert isinstance(context, av.VideoCodecContext)
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, av.FFmpegError):
        return (error.strerror or "no reason given").lower()
    if isinstance(error, av.codec.codec.UnknownCodecError):
        return "this build of PyAV lacks it"
    return str(error).lower()
