"""What a model is: a file with its digest, its inputs and its licence.

The manifest beside the bundled files (``ooblexd/models/manifest.json``) is the one
place that states them; `NOTICE` there says the same to people.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from ooblexd.errors import EngineError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_BUNDLED = "ooblexd.models"
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input of a model.

    Attributes:
        name: As the model names it.
        shape: Every dimension, batch included.
        dtype: numpy's name of the element type, such as ``float32``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Model:
    """A network that an engine can run.

    Attributes:
        name: What effects and the configuration call it.
        file: Where its bytes are.
        sha256: Digest that the bytes must have, in hexadecimal.
        licence: SPDX identifier.
        inputs: What a run must be given.
    """

    name: str
    file: Traversable
    sha256: str
    licence: str
    inputs: tuple[TensorSpec, ...]

    def read(self) -> bytes:
        """Return the bytes of the model, verified.

        Engines load from these bytes and not from the path, so that what was verified
        is what runs.

        Raises:
            EngineError: The file is missing or is not the one of the manifest.
        """
        try:
            content = self.file.read_bytes()
        except OSError as exc:
            raise EngineError(
                f"model {self.name}: {self.file} cannot be read ({exc.strerror}); "
                "install ooblexd again"
            ) from exc
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise EngineError(
                f"model {self.name}: {self.file} has sha256 {digest}, "
                f"expected {self.sha256}; the file was damaged or replaced: "
                "install ooblexd again"
            )
        return content


def bundled_models() -> dict[str, Model]:
    """Return the models that the package ships, by name.

    Raises:
        EngineError: The manifest is missing or damaged.
    """
    folder = resources.files(_BUNDLED)
    try:
        rows = json.loads((folder / _MANIFEST).read_text("utf-8"))["models"]
        return {row["name"]: _model_of(row, folder) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise EngineError(
            f"{folder / _MANIFEST} cannot be read ({exc}); install ooblexd again"
        ) from exc


def bundled_model(name: str) -> Model:
    """Return one model that the package ships.

    Raises:
        EngineError: There is none of that name; the message lists those there are.
    """
    models = bundled_models()
    if name not in models:
        raise EngineError(f"model {name!r} is unknown; there are {', '.join(models)}")
    return models[name]


def _model_of(row: dict[str, object], folder: Traversable) -> Model:
    inputs = row["inputs"]
    assert isinstance(inputs, list)
    return Model(
        name=str(row["name"]),
        file=folder / str(row["file"]),
        sha256=str(row["sha256"]),
        licence=str(row["licence"]),
        inputs=tuple(
            TensorSpec(spec["name"], tuple(spec["shape"]), spec["dtype"])
            for spec in inputs
        ),
    )
