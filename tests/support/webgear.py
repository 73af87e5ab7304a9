"""Serves a camera by vidgear's WebGear, at the settings that it does best with.

::

    .venv-peers/vidgear/bin/python tests/support/webgear.py URL PORT

It runs in the environment of vidgear, so it may import nothing of ours. Frames of the
size that the camera sends; the pages that WebGear would fetch from the internet are
left out.
"""

from __future__ import annotations

import importlib
import os
import sys

# As for the others: TCP and nothing buffered. With two threads to decode each picture
# waits for the next, and a queue of pictures is only ever late.
_ENVIRONMENT = {
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;tcp|fflags;nobuffer|"
    "flags;low_delay",
    "OPENCV_FFMPEG_THREADS": "1",
}
_OPTIONS = {
    "THREADED_QUEUE_MODE": False,
    "skip_generate_webdata": True,
    "frame_size_reduction": 0,
    "jpeg_compression_quality": 80,
    "jpeg_compression_fastdct": True,
    "jpeg_compression_fastupsample": True,
}


def main() -> None:
    """Serve what the command line names at ``/video`` until killed."""
    url, port = sys.argv[1:]
    os.environ.update(_ENVIRONMENT)
    gears = importlib.import_module("vidgear.gears.asyncio")
    uvicorn = importlib.import_module("uvicorn")
    application = gears.WebGear(source=url, **_OPTIONS)()
    uvicorn.run(application, host="127.0.0.1", port=int(port), access_log=False)


if __name__ == "__main__":
    main()
