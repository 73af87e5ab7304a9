from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from ooblexd.engines import Engines
from ooblexd.engines.model import bundled_model, bundled_models
from ooblexd.engines.onnx import OnnxEngine
from ooblexd.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", bundled_models())
def test_each_bundled_model_is_what_its_manifest_and_notice_say(name: str) -> None:
    model = bundled_model(name)
    notice = (resources.files("ooblexd.models") / "NOTICE").read_text("utf-8")

    assert model.read()
    assert model.sha256 in notice
    assert model.licence == "Apache-2.0"


def test_every_model_in_the_package_is_in_the_manifest() -> None:
    files = {
        entry.name
        for entry in resources.files("ooblexd.models").iterdir()
        if entry.name.endswith(".onnx")
    }

    assert files == {model.file.name for model in bundled_models().values()}


def test_a_model_with_another_digest_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(bundled_model("blazeface_back_256").read() + b"!")
    model = replace(bundled_model("blazeface_back_256"), file=file)

    with pytest.raises(EngineError, match="damaged or replaced: install ooblexd again"):
        model.read()


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    model = replace(bundled_model("blazeface_back_256"), file=tmp_path / "gone.onnx")

    with pytest.raises(EngineError, match=r"cannot be read .*install ooblexd again"):
        model.read()


def test_verified_bytes_that_are_no_network_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "noise.onnx"
    file.write_bytes(b"noise")
    digest = hashlib.sha256(b"noise").hexdigest()
    model = replace(bundled_model("blazeface_back_256"), file=file, sha256=digest)

    with pytest.raises(EngineError, match="ONNX Runtime cannot load it"):
        OnnxEngine(model)


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    with pytest.raises(EngineError, match="'face' is unknown; there are blazeface"):
        bundled_model("face")


def test_streams_of_a_worker_share_an_engine() -> None:
    engines = Engines()

    assert engines.engine("blazeface_back_256") is engines.engine("blazeface_back_256")
    engines.close()
