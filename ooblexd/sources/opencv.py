"""``/dev/videoN`` by OpenCV: what reads a device that FFmpeg cannot.

OpenCV knows pixel formats of its own, and is there where a system's FFmpeg was built
without Video4Linux. It is the second choice: it decodes each picture to BGR, wanted or
not, which is converted back, and what it fails at it keeps to itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.options import SourceDescription, SourceOptions
from ooblexd.sources.picture import picture_of

if TYPE_CHECKING:
    from ooblexd.sources.options import InputOptions
    from ooblexd.sources.picture import DecodedPicture

_FOURCC = {"mjpeg": "MJPG", "yuyv": "YUYV", "i420": "YU12", "nv12": "NV12"}
# In whole seconds; read once a process, when OpenCV first waits for a picture.
_TIME_LIMIT = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"


class OpenCvSource:
    """A `ooblexd.sources.Source` that OpenCV reads from a device.

    It is open when its first picture came.

    Args:
        path: Of the device.
        options: How it is read; the first source of a process sets the time limit.

    Raises:
        SourceUnavailableError: OpenCV cannot read it either.

    Attributes:
        description: What the device said of itself.
    """

    def __init__(self, path: str, options: SourceOptions) -> None:
        self._options = options
        os.environ.setdefault(_TIME_LIMIT, f"{max(1, round(options.read_timeout_s))}")
        cv2.utils.logging.setLogLevel(
            cv2.utils.logging.LOG_LEVEL_SILENT
        )  # what fails is told by the reason
        self._capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        try:
            self._ask(options.input)
            self._start_ns = options.now_ns()
            self._first: DecodedPicture | None = self._next()
        except SourceUnavailableError:
            self._capture.release()
            raise
        self.description = SourceDescription(
            codec=_codec_of(int(self._capture.get(cv2.CAP_PROP_FOURCC))),
            width=self._first.width,
            height=self._first.height,
            fps=max(0.0, self._capture.get(cv2.CAP_PROP_FPS)),
            has_b_frames=False,
            transport="local",
            pixel_format="bgr24",
        )

    def read(self) -> DecodedPicture:
        """Block until the next picture.

        Raises:
            SourceUnavailableError: It was unplugged, or nothing came in time.
        """
        picture, self._first = self._first or self._next(), None
        return picture

    def close(self) -> None:
        """Let go of the device; a second call does nothing."""
        self._capture.release()

    def _ask(self, wanted: InputOptions) -> None:
        """Ask for what is wanted; another size or rate will do, as with FFmpeg."""
        if wanted.format in _FOURCC:
            fourcc = cv2.VideoWriter.fourcc(*_FOURCC[wanted.format])
            self._capture.set(cv2.CAP_PROP_FOURCC, fourcc)
            if int(self._capture.get(cv2.CAP_PROP_FOURCC)) != fourcc:
                raise SourceUnavailableError("the device cannot do this format")
        if wanted.width:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.width)
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.height)
        if wanted.fps:
            self._capture.set(cv2.CAP_PROP_FPS, wanted.fps)

    def _next(self) -> DecodedPicture:
        came = self._capture.grab()
        capture_ns = self._options.now_ns()
        is_decoded, bgr = self._capture.retrieve() if came else (False, None)
        if not is_decoded or bgr is None or bgr.ndim != 3:  # noqa: PLR2004 # BGR
            raise SourceUnavailableError("the device gives no picture any more")
        frame = av.VideoFrame.from_ndarray(np.asarray(bgr, np.uint8), format="bgr24")
        return picture_of(
            frame,
            pts_ns=capture_ns - self._start_ns,
            capture_ns=capture_ns,
            decoded_ns=self._options.now_ns(),
        )


def _codec_of(fourcc: int) -> str:
    name = fourcc.to_bytes(4, "little", signed=fourcc < 0).decode("ascii", "replace")
    return "mjpeg" if name in ("MJPG", "JPEG") else "rawvideo"
