"""What holds for all tests."""

import pytest
from hypothesis import HealthCheck, settings

from tests.support.distribution import Distributions, build_distributions

# A shared machine is slow at any moment: time is for pytest's timeout to judge.
settings.register_profile(
    "ooblexd", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ooblexd")


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Build the package once for all who install it."""
    return build_distributions(tmp_path_factory.mktemp("distributions"))
