"""``/dev/videoN``: a camera on this machine, by Video4Linux and FFmpeg.

What the stream's ``input`` names is asked of the device, which may give another.
With nothing asked it gives JPEG pictures if it can: raw ones of 1280x720 do not fit
through USB 2 at 30 fps.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import av

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.network import Address, NetworkSource, prepare
from ooblexd.sources.reasons import without_secrets

if TYPE_CHECKING:
    from av.container import InputContainer

    from ooblexd.sources.options import InputOptions, SourceOptions

_VIDEO_MAJOR = 81  # of every Video4Linux device
_FORMATS = {"mjpeg": "mjpeg", "yuyv": "yuyv422", "i420": "yuv420p", "nv12": "nv12"}
_NOT_A_CAMERA = "the device is no camera"
_REASONS = {
    errno.EBUSY: "another program uses the device",
    errno.ENODEV: "the device was unplugged",
    errno.ENXIO: "the device was unplugged",
    errno.EACCES: "the device may not be opened; its group is video, most likely",
    errno.EINVAL: "the device cannot do what is asked of it",
    errno.ENOTTY: _NOT_A_CAMERA,
}


def open_device(path: str, options: SourceOptions) -> NetworkSource:
    """Open a camera.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
    """
    return NetworkSource(device_address(path), options, open_capture)


def device_address(path: str) -> Address:
    """Return a device as a place to read from."""
    return Address(url=path, default_port=0, transport="local", av_options={})


def open_capture(address: Address, options: SourceOptions) -> InputContainer:
    """Begin to capture.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
    """
    _check(address.url)
    first, *others = _wishes(options.input)
    try:
        return _open(address.url, first, options)
    except SourceUnavailableError:
        if not others:
            raise
    return _open(address.url, others[0], options)


def _wishes(asked: InputOptions) -> list[dict[str, str]]:
    """Return what is asked of the device, the best first, in FFmpeg's words."""
    wish = {}
    if asked.width:
        wish["video_size"] = f"{asked.width}x{asked.height}"
    if asked.fps:
        wish["framerate"] = f"{asked.fps:g}"
    if asked.format == "auto":
        return [{**wish, "input_format": "mjpeg"}, wish]
    return [{**wish, "input_format": _FORMATS[asked.format]}]


def _open(path: str, wish: dict[str, str], options: SourceOptions) -> InputContainer:
    timeouts = (options.open_timeout_s, options.read_timeout_s)
    try:
        container = av.open(path, format="v4l2", options=wish, timeout=timeouts)
    except av.FFmpegError as exc:
        told = exc.strerror or type(exc).__name__
        reason = _REASONS.get(exc.errno or 0, f"the device cannot be opened: {told}")
        raise SourceUnavailableError(reason) from without_secrets(exc)
    try:
        prepare(container)
    except SourceUnavailableError:
        container.close()
        raise
    return container


def _check(path: str) -> None:
    """Find out what is wrong with a device, in words better than the decoder's."""
    try:
        found = Path(path).stat()
    except OSError as exc:
        raise SourceUnavailableError("there is no such device") from exc
    if not stat.S_ISCHR(found.st_mode) or os.major(found.st_rdev) != _VIDEO_MAJOR:
        raise SourceUnavailableError(_NOT_A_CAMERA)
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceUnavailableError(_REASONS[errno.EACCES])
