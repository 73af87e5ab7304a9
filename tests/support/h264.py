"""H.264 as output makes it, for whoever muxes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ooblexd.encoders.video import RATE_HZ, VideoCodec, VideoEncoder
from ooblexd.frame import Matrix
from ooblexd.pixels import new_planes

NS_PER_PICTURE = 40_000_000
FIRST_NS = 5_000_000_000_000


class Unit(NamedTuple):
    """An access unit, Annex B."""

    data: bytes
    pts_ns: int
    is_keyframe: bool


def units(
    pictures: int, size: tuple[int, int] = (320, 180), keyframe_every: int = 10
) -> list[Unit]:
    """Return pictures of 25 a second, of a bar that moves."""
    encoder = VideoEncoder(VideoCodec.H264, 500_000)
    planes = new_planes(*size)
    planes.u[:], planes.v[:] = 128, 128
    made = []
    for number in range(pictures):
        planes.y[:] = (np.arange(size[0]) + 4 * number).astype(np.uint8)
        packets = encoder.encode(
            planes,
            FIRST_NS + number * NS_PER_PICTURE,
            full_range=False,
            matrix=Matrix.BT709,
            is_keyframe=number % keyframe_every == 0,
        )
        made += [
            Unit(
                bytes(packet), (packet.pts or 0) * 10**9 // RATE_HZ, packet.is_keyframe
            )
            for packet in packets
        ]
    return made
