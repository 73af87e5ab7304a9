"""What every implementation of a Protocol must do: each test class inherits its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ooblexd.errors import EngineError
from ooblexd.frame import FrameHeader
from ooblexd.pixels import new_planes

if TYPE_CHECKING:
    from ooblexd.effects import Effect
    from ooblexd.engines import Engine
    from ooblexd.engines.model import Model

SIZES = [(2, 2), (3, 5), (1, 1), (641, 359), (4096, 2), (2, 512)]


def at_frame(sequence: int, fps: float = 25.0) -> FrameHeader:
    """Return the header of a frame of a source that never falters."""
    return FrameHeader(sequence, 0, 0, capture_ns=int(sequence * 1e9 / fps))


class EffectContract:
    """`ooblexd.effects.Effect`."""

    @pytest.fixture
    def effect(self) -> Effect:
        raise NotImplementedError

    @pytest.mark.parametrize(("width", "height"), SIZES)
    def test_takes_a_picture_of_any_size(
        self, effect: Effect, width: int, height: int
    ) -> None:
        planes = new_planes(width, height)
        for plane in planes:
            plane.fill(128)

        assert effect.apply(planes, at_frame(0)) in (True, False)

    def test_takes_a_picture_of_another_size_at_any_time(self, effect: Effect) -> None:
        for sequence, (width, height) in enumerate([(64, 48), (48, 64), (65, 47)]):
            planes = new_planes(width, height)
            for plane in planes:
                plane.fill(128)

            assert effect.apply(planes, at_frame(sequence)) in (True, False)

    def test_closes_twice(self, effect: Effect) -> None:
        effect.close()
        effect.close()


class EngineContract:
    """`ooblexd.engines.Engine`."""

    @pytest.fixture
    def model(self) -> Model:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, model: Model) -> Engine:
        raise NotImplementedError

    def test_gives_outputs_by_name(self, engine: Engine, model: Model) -> None:
        outputs = engine.run({s.name: np.ones(s.shape, s.dtype) for s in model.inputs})

        assert outputs
        assert all(isinstance(name, str) for name in outputs)

    def test_the_caller_owns_the_outputs(self, engine: Engine, model: Model) -> None:
        inputs = {s.name: np.ones(s.shape, s.dtype) for s in model.inputs}
        first = engine.run(inputs)
        before = {name: output.copy() for name, output in first.items()}

        engine.run({name: 0 * value for name, value in inputs.items()})

        for name, output in before.items():
            assert np.array_equal(first[name], output)

    def test_an_input_that_does_not_fit_is_an_error(
        self, engine: Engine, model: Model
    ) -> None:
        with pytest.raises(EngineError, match=model.name):
            engine.run({s.name: np.ones((1, 2), s.dtype) for s in model.inputs})

    def test_a_closed_engine_says_so(self, engine: Engine, model: Model) -> None:
        engine.close()
        engine.close()

        with pytest.raises(EngineError, match="closed"):
            engine.run({s.name: np.ones(s.shape, s.dtype) for s in model.inputs})
