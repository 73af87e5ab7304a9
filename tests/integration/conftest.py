from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packages import install

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="session")
def with_trouble(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the environment in which there are effects that misbehave."""
    return install("trouble", tmp_path_factory.mktemp("packages") / "site")
