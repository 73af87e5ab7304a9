"""What holds for all tests."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.distribution import Distributions, build_distributions

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

# A shared machine is slow at any moment: time is for pytest's timeout to judge.
settings.register_profile(
    "ooblexd", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ooblexd")


# They count what is in shared memory, or look at the clock.
_OF_THE_MACHINE = ("benchmarks", "ring", "supervisor", "integration")
# Of those the ones that do neither.
_PATIENT = (
    *("test_ordering", "test_config", "test_description", "test_exec", "test_geometry"),
    *("test_hls_js", "test_packages", "test_page", "test_probe", "test_publish_page"),
    *("test_publishing", "test_push", "test_reload", "test_renditions"),
    *("test_safe_mode", "test_status", "test_systemd", "test_telling", "test_upload"),
    *("test_watch_page", "test_websocket"),
)


def lane_of(nodeid: str) -> str:
    """Return which tests run one after another with this one.

    ``tools/test`` runs two lanes side by side (pytest-xdist): they share the files of
    all tests that bear company, and then one has those that want the machine.
    """
    path = PurePosixPath(nodeid.partition("::")[0])
    is_of_machine = path.parts[1] in _OF_THE_MACHINE and path.stem not in _PATIENT
    return "machine" if is_of_machine else str(path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have those come first that bear company."""
    tests = Path(__file__).parent
    order = {part: place for place, part in enumerate(_OF_THE_MACHINE)}
    items.sort(key=lambda one: order.get(one.path.relative_to(tests).parts[0], -1))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> LoadScopeScheduling:
    """Make the lanes. xdist's own groups do nothing with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 # where it is used

    class Lanes(LoadScopeScheduling):  # type: ignore[misc] # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return lane_of(nodeid)

    return Lanes(config, log)


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Build the package once for all who install it."""
    return build_distributions(tmp_path_factory.mktemp("distributions"))
