"""``/dev/videoN``: a camera on this machine, by Video4Linux and FFmpeg, or by OpenCV.

What the stream's ``input`` names is asked of the device, which may give another size
or rate. With nothing asked it gives JPEG pictures if it can: raw ones of 1280x720 do
not fit through USB 2 at 30 fps.

FFmpeg would wait for ever for a camera that hangs, whatever its time limits. So it is
told not to wait at all, and `DeviceSource` waits instead. Its packets lie in the memory
of the driver, and raw pictures in them, which must not outlive the container: each is
copied (a picture of 1280x720 in 0.1 ms).
"""

from __future__ import annotations

import errno
import os
import select
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import av

from ooblexd.clock import NS_PER_S
from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.arrivals import Arrival
from ooblexd.sources.network import Address, NetworkSource, prepare
from ooblexd.sources.reasons import explain, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer

    from ooblexd.sources import Source
    from ooblexd.sources.options import InputOptions, SourceOptions

_V4L2 = "v4l2"
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


# What no other way of reading mends.
_FINAL = _REASONS.keys() - {errno.EINVAL}
# Do not wait (AVFMT_FLAG_NONBLOCK, which has no name as an option), and keep no packets
# of the analysis, which would outlive the driver's memory too.
_FLAGS = {"fflags": "+4+nobuffer"}


class DeviceSource(NetworkSource):
    """A `ooblexd.sources.Source` that FFmpeg reads from a device.

    Args:
        path: Of the device.
        options: How it is read.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
    """

    def __init__(self, path: str, options: SourceOptions) -> None:
        self._path = path
        address = Address(url=path, default_port=0, transport="local", av_options={})
        super().__init__(address, options, _open_capture)

    def _packets(self) -> Iterator[Arrival]:
        limit_s = self._options.read_timeout_s
        readable = select.poll()
        readable.register(_fd_of(self._path), select.POLLIN)
        last_ns = self._options.now_ns()
        while True:
            try:
                packet = _copied(next(self._container.demux(self._stream)))
            except av.BlockingIOError as exc:
                left_s = limit_s - (self._options.now_ns() - last_ns) / NS_PER_S
                if left_s <= 0 or not readable.poll(left_s * 1000):
                    raise SourceUnavailableError(
                        f"nothing came for {limit_s:g} s"
                    ) from without_secrets(exc)
                continue
            except av.FFmpegError as exc:
                reason = explain(exc, waited_s=limit_s)
                raise reason from without_secrets(exc)
            last_ns = self._options.now_ns()
            yield Arrival(packet, last_ns)


def open_device(path: str, options: SourceOptions) -> Source:
    """Open a camera, by OpenCV where FFmpeg knows no way to read it.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
    """
    _check(path)
    # What OpenCV does has its limit too, and both have to fit into the time to open.
    until_ns = options.now_ns() + int(
        (options.open_timeout_s - options.read_timeout_s) * NS_PER_S
    )
    try:
        return DeviceSource(path, options)
    except SourceUnavailableError as error:
        if not _may_be_read_otherwise(error) or options.now_ns() > until_ns:
            raise
        from ooblexd.sources.opencv import OpenCvSource  # noqa: PLC0415 - 40 MB, rarely

        try:
            return OpenCvSource(path, options)
        except SourceUnavailableError:
            raise error from error.__cause__


def _may_be_read_otherwise(error: SourceUnavailableError) -> bool:
    cause = error.__cause__
    if isinstance(cause, (av.BlockingIOError, av.error.ExitError)):
        return False  # it hangs
    return not (isinstance(cause, av.FFmpegError) and cause.errno in _FINAL)


def _open_capture(address: Address, options: SourceOptions) -> InputContainer:
    first, *others = _wishes(options.input)
    try:
        return _open(address.url, first, options)
    except SourceUnavailableError as error:
        if not others or not _may_be_read_otherwise(error):
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
        # For the container only: a decoder would believe the size that was asked for.
        container = av.open(
            path, format=_V4L2, container_options=wish | _FLAGS, timeout=timeouts
        )
    except av.error.ExitError as exc:
        reason = f"nothing came for {options.open_timeout_s:g} s"
        raise SourceUnavailableError(reason) from without_secrets(exc)
    except av.FFmpegError as exc:
        told = exc.strerror or type(exc).__name__
        reason = _REASONS.get(exc.errno or 0, f"the device cannot be opened: {told}")
        raise SourceUnavailableError(reason) from without_secrets(exc)
    except ValueError as exc:  # PyAV knows of no such format
        raise SourceUnavailableError("FFmpeg was built without v4l2") from exc
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


def _copied(packet: av.Packet[av.VideoStream]) -> av.Packet[av.VideoStream]:
    copy: av.Packet[av.VideoStream] = av.Packet(packet.size)  # type: ignore[assignment] # by its stream
    copy.update(bytes(packet))
    copy.stream, copy.time_base = packet.stream, packet.time_base
    copy.pts, copy.dts = packet.pts, packet.dts
    copy.is_keyframe = packet.is_keyframe
    return copy


def _fd_of(path: str) -> int:
    """Return where FFmpeg, which does not tell, has the device open."""
    wanted = Path(path).stat().st_rdev
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are numbers here
        try:
            found = os.fstat(int(name))
        except OSError:  # that of the listing itself
            continue
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == wanted:
            return int(name)
    raise SourceUnavailableError(_REASONS[errno.ENODEV])
