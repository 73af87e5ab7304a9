from __future__ import annotations

import pytest

from ooblexd.engines import open_engine
from ooblexd.engines.model import Model, bundled_model
from ooblexd.engines.onnx import OnnxEngine
from ooblexd.errors import EngineError
from tests.support.contracts import EngineContract


class TestOnnxEngine(EngineContract):
    @pytest.fixture
    def model(self) -> Model:
        return bundled_model("blazeface_short_range_128")

    @pytest.fixture
    def engine(self, model: Model) -> OnnxEngine:
        return OnnxEngine(model)


def test_an_unknown_engine_is_answered_with_those_there_are() -> None:
    with pytest.raises(EngineError, match="'abacus' is unknown; there are auto"):
        open_engine(bundled_model("blazeface_back_256"), "abacus")
