"""nginx with its module of RTMP: a server that real encoders push to."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import eventually

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
_CONFIG = """
load_module {module};
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log info;
events {{ worker_connections 64; }}
rtmp {{ server {{ listen 127.0.0.1:{port};
  application live {{ live on; }}
  application closed {{ live on; deny publish all; }}
}} }}
"""


class RtmpServer:
    """Runs until it is left; it may be stopped and started meanwhile.

    Args:
        folder: For its files.
    """

    def __init__(self, folder: Path) -> None:
        if not _MODULE.exists() or shutil.which("nginx") is None:
            pytest.skip("apt install nginx-light libnginx-mod-rtmp")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"rtmp://127.0.0.1:{self._port}"
        self._folder = folder
        self._config = folder / "nginx.conf"
        self._config.write_text(
            _CONFIG.format(module=_MODULE, folder=folder, port=self._port)
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        command = ["nginx", "-c", str(self._config), "-p", str(self._folder)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as end:
            return end.connect_ex(("127.0.0.1", self._port)) == 0


def probed(url: str) -> list[str]:
    """Return what ffprobe finds behind ``url``: ``h264 640x360``, ``aac``."""
    fields = "stream=codec_name,width,height"
    quick = ["-analyzeduration", "2000000", "-fpsprobesize", "0"]
    shown = ["-show_entries", fields, "-of", "csv=p=0"]
    command = ["ffprobe", "-v", "error", *quick, *shown]
    answer = subprocess.run(
        [*command, url], capture_output=True, text=True, timeout=15, check=False
    )
    lines = [line.strip(",").split(",") for line in answer.stdout.split()]
    told = [" ".join([name, "x".join(size)]).strip() for name, *size in lines]
    return sorted(set(told))
