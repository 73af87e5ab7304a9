"""The pictures that viewers get, by trial: one is encoded as JPEG."""

from __future__ import annotations

import numpy as np

from ooblexd.checks import Finding, fail, ok
from ooblexd.clock import NS_PER_MS, monotonic_ns
from ooblexd.encoders.jpeg import encode_bgr

_WIDTH, _HEIGHT = 1280, 720
_GREY = 128
_NAME = "JPEG encode"


def check_jpeg() -> list[Finding]:
    """Encode one grey picture."""
    picture = np.full((_HEIGHT, _WIDTH, 3), _GREY, np.uint8)
    began_ns = monotonic_ns()
    jpeg = encode_bgr(picture, 80)
    took_ms = (monotonic_ns() - began_ns) / NS_PER_MS
    if bytes(jpeg[:2]) != b"\xff\xd8":
        remedy = "pip install --force-reinstall opencv-python-headless"
        return [fail(_NAME, "gives no JPEG", remedy)]
    return [ok(_NAME, f"works: {_WIDTH}x{_HEIGHT} in {took_ms:.1f} ms")]
