"""Step 3a: what runs a model, one `Engine` a module.

An effect asks the `Engines` of its worker for a model by name; which library and which
device runs it is decided here. So a new engine (TensorRT, LiteRT, a server of the Open
Inference Protocol, or one that gathers the requests of several streams into a batch)
is one more module and one more row of `_OPENERS`, and no effect changes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from ooblexd.engines.model import bundled_model
from ooblexd.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from ooblexd.engines.model import Model

__all__ = ["ENGINES", "Engine", "Engines", "open_engine"]


class Engine(Protocol):
    """One model, ready to run; `tests.support.contracts.EngineContract` tests it.

    `run` may be called from several threads at once: the analysis of a ``tracked``
    effect runs beside the video and shares the engine with other streams.
    """

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs of the model by name; the caller owns them.

        Args:
            inputs: By the names, shapes and types that the model's manifest states;
                read only, and free again when the call returns.

        Raises:
            EngineError: The inputs do not fit, the device failed, or it is closed.
        """
        ...

    def close(self) -> None:
        """Release the device; a second call does nothing."""
        ...


# Modules by the engine's name. They load heavy libraries, hence only when asked for.
_OPENERS = {"onnx-cpu": ("ooblexd.engines.onnx", "OnnxEngine")}

ENGINES = ("auto", *_OPENERS)
"""The names that a configuration may say."""


def open_engine(model: Model, name: str = "auto", threads: int = 1) -> Engine:
    """Return an engine that has run ``model`` once, so that the next run is quick.

    Args:
        model: What to run; its digest is verified before anything else reads it.
        name: One of `ENGINES`; ``auto`` takes the best that this box has.
        threads: How many threads one run may use.

    Raises:
        EngineError: There is no such engine, or the model cannot be loaded.
    """
    chosen = "onnx-cpu" if name == "auto" else name
    if chosen not in _OPENERS:
        raise EngineError(f"engine {name!r} is unknown; there are {', '.join(ENGINES)}")
    module, kind = _OPENERS[chosen]
    opener: Callable[[Model, int], Engine] = getattr(
        importlib.import_module(module), kind
    )
    return opener(model, threads)


class Engines:
    """The engines of one worker: its streams share one engine a model.

    Owned by the worker, and used by its main thread only (the engines themselves may
    be run by any thread).
    """

    def __init__(self, engine: str = "auto", threads: int = 1) -> None:
        self._engine = engine
        self._threads = threads
        self._open: dict[str, Engine] = {}

    def engine(self, model: str) -> Engine:
        """Return the engine of the bundled model of that name, opened when first asked.

        It stays the property of this object: effects never close it.

        Raises:
            EngineError: There is no such model, or it cannot be loaded.
        """
        if model not in self._open:
            self._open[model] = open_engine(
                bundled_model(model), self._engine, self._threads
            )
        return self._open[model]

    def close(self) -> None:
        """Close every engine."""
        while self._open:
            self._open.popitem()[1].close()
