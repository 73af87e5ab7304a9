"""What people install has everything that the repository has for them."""

from __future__ import annotations

import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support.repository import PACKAGE, ROOT

if TYPE_CHECKING:
    from tests.support.distribution import Distributions

pytestmark = pytest.mark.timeout(120)
BUILT = {".so", ".pyc"}


def package_files() -> dict[str, bytes]:
    """Return what is in the package, with what lies behind its link to systemd/."""
    found: dict[str, bytes] = {}
    for folder in (PACKAGE, PACKAGE / "systemd"):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in BUILT:
                found[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    return found


def test_the_wheel_has_every_file_of_the_package(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = set(wheel.namelist())

        for name, content in package_files().items():
            if not name.endswith(".c"):
                assert wheel.read(name) == content
    assert "ooblexd/systemd/ooblexd.service" in names


def test_the_source_distribution_needs_nothing_beside_it(
    distributions: Distributions,
) -> None:
    with tarfile.open(distributions.sdist) as sdist:
        members = {
            member.name.partition("/")[2]: member for member in sdist.getmembers()
        }

    missing = package_files().keys() - members.keys()
    assert not missing
    assert all(members[name].isfile() for name in package_files())
