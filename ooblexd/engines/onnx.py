"""Runs a model by ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from ooblexd.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ooblexd.engines.model import Model

# The library has no common ancestor for what it raises; ValueError is a missing input.
_FAILURES: tuple[type[Exception], ...] = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
    ValueError,
)
_ERRORS_ONLY = 3


class OnnxEngine:
    """One session of ONNX Runtime, on the CPU.

    Its threads do not spin: a waiting thread that burns a core is worse on a small box
    than the microseconds it saves. A run releases the GIL.
    """

    def __init__(self, model: Model, threads: int = 1) -> None:
        self._name = model.name
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model.read(), _options(threads), providers=["CPUExecutionProvider"]
            )
        except _FAILURES as exc:
            raise EngineError(
                f"model {model.name}: ONNX Runtime cannot load it ({exc})"
            ) from exc
        self.run({spec.name: np.zeros(spec.shape, spec.dtype) for spec in model.inputs})

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See `ooblexd.engines.Engine.run`."""
        session = self._session
        if session is None:
            raise EngineError(f"model {self._name}: the engine is closed")
        try:
            outputs = session.run(None, dict(inputs))
        except _FAILURES as exc:
            raise EngineError(f"model {self._name}: the run failed ({exc})") from exc
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, outputs, strict=True))

    def close(self) -> None:
        """See `ooblexd.engines.Engine.close`."""
        self._session = None


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
