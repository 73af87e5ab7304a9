"""What runs the models: each engine that is here runs one, to prove it."""

from __future__ import annotations

import importlib.util
import os
from importlib import metadata

from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.clock import NS_PER_MS, monotonic_ns
from ooblexd.engines import open_engine
from ooblexd.engines.model import bundled_models
from ooblexd.errors import EngineError

_RUNS = 5


def check_onnx() -> list[Finding]:
    """Run the smallest model by ONNX Runtime on the CPU."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    version = _version("onnxruntime")
    if not version:
        remedy = "pip install onnxruntime"
        return [fail("onnx-cpu", "ONNX Runtime is not installed", remedy)]
    try:
        name, took_ms = _run_smallest()
    except EngineError as error:
        return [fail("onnx-cpu", f"{version}: {error}", "install ooblexd again")]
    text = f"ONNX Runtime {version} runs {name} in {took_ms:.1f} ms"
    if version.startswith("1.21."):
        remedy = "pip install -U onnxruntime"
        return [warn("onnx-cpu", f"{text}; 1.21 crashes on a Raspberry Pi 4", remedy)]
    return [ok("onnx-cpu", text)]


def _run_smallest() -> tuple[str, float]:
    import numpy as np  # noqa: PLC0415 # heavy, and only where an engine is

    model = min(bundled_models().values(), key=lambda one: len(one.read()))
    engine = open_engine(model, "onnx-cpu")
    inputs = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in model.inputs}
    times_ns = []
    for _ in range(_RUNS):
        began_ns = monotonic_ns()
        engine.run(inputs)
        times_ns.append(monotonic_ns() - began_ns)
    engine.close()
    return model.name, sorted(times_ns)[_RUNS // 2] / NS_PER_MS


def check_tensorrt() -> list[Finding]:
    """Say whether TensorRT is here; nothing needs it."""
    if importlib.util.find_spec("tensorrt") is None:
        return [ok("tensorrt", "not installed")]
    return [ok("tensorrt", f"TensorRT {_version('tensorrt') or 'of the system'}")]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
