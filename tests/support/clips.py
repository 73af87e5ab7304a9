"""The clips of `tests/data` as I420 pictures, and a detector of its own for them."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import av
import cv2
import numpy as np

from ooblexd.effects.blazeface import BlazeFace, FaceNetwork
from ooblexd.engines import open_engine
from ooblexd.engines.model import Model, TensorSpec
from ooblexd.pixels import Plane, Planes, copy_planes, new_planes, planes_of

DATA = Path(__file__).parents[1] / "data"
_FULL_RANGE = BlazeFace(
    model="blazeface_full_range_192",
    side_px=192,
    input="input",
    scores=("reshaped_classifier_face_4",),
    boxes=("reshaped_regressor_face_4",),
    grids=((4, 1),),
)


@functools.cache
def clip(name: str) -> list[Planes]:
    """Return every picture of a clip; not to be written to."""
    with av.open(str(DATA / name)) as container:
        return [
            planes_of(
                np.ascontiguousarray(frame.to_ndarray(format="yuv420p")).tobytes(),
                frame.width,
                frame.height,
            )
            for frame in container.decode(video=0)
        ]


def copied(planes: Planes) -> Planes:
    """Return the picture in memory of its own."""
    copy = new_planes(planes.width, planes.height)
    copy_planes(planes, copy)
    return copy


def scaled(planes: Planes, width: int, height: int) -> Planes:
    """Return the picture at another, even size."""

    def plane(source: Plane, size: tuple[int, int]) -> Plane:
        resized = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
        return np.asarray(resized, np.uint8)

    half = (width // 2, height // 2)
    return Planes(
        plane(planes.y, (width, height)), plane(planes.u, half), plane(planes.v, half)
    )


def independent_detector() -> FaceNetwork:
    """Return a network that no effect uses."""
    file = DATA / "blazeface_full_range_192.onnx"
    model = Model(
        name=_FULL_RANGE.model,
        file=file,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        licence="Apache-2.0",
        inputs=(TensorSpec("input", (1, 192, 192, 3), "float32"),),
    )
    return FaceNetwork(_FULL_RANGE, open_engine(model))
