"""The worked example of `CONTRIBUTING.md`, installed by pip, in the running daemon."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.support.appliance import Appliance
from tests.support.packages import PACKAGES, install
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
# So few that a busy machine, which may pause for a second, covers nothing.
TOML = """
[streams.door]
source = "demo:"
max_fps = 1
effects = ["blur_faces", { effect = "sepia", tone = 1.0 }]
"""
EXAMPLE = [
    *("pyproject.toml", "ooblexd_sepia/__init__.py"),
    *("ooblexd_sepia/parameters.py", "ooblexd_sepia/sepia.py"),
]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return install("sepia", tmp_path_factory.mktemp("packages") / "site")


@pytest.fixture(scope="module")
def appliance(
    tmp_path_factory: pytest.TempPathFactory, environment: Mapping[str, str]
) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("sepia")
    with Appliance(folder, TOML, environment) as daemon:
        eventually(lambda: daemon.stream("door")["picture"] == "live")
        yield daemon


def colours(jpeg: bytes) -> NDArray[np.float64]:
    """Return the mean of red, green and blue."""
    with av.open(io.BytesIO(jpeg)) as container:
        assert isinstance(container, av.container.InputContainer)
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return np.asarray(picture.reshape(-1, 3).mean(axis=0))


def is_brown(appliance: Appliance) -> bool | None:
    """Say whether the picture is; None while there is none."""
    answer = appliance.request("GET", "/streams/door/snapshot.jpg")
    if answer.headers.get("x-picture") != "live":
        return None
    red, green, blue = colours(answer.content)
    return bool(red > 1.05 * green and green > 1.1 * blue)


@pytest.mark.parametrize("file", EXAMPLE)
def test_the_example_is_what_contributing_shows(file: str) -> None:
    text = (PACKAGES / "sepia" / file).read_text()

    assert text.strip() in (ROOT / "CONTRIBUTING.md").read_text()


def test_an_installed_effect_works_in_the_running_daemon(appliance: Appliance) -> None:
    eventually(lambda: is_brown(appliance) is True)


def test_an_installed_effect_is_listed_with_its_package_and_schema(
    appliance: Appliance,
) -> None:
    items = appliance.request("GET", "/api/v1/effects").json()["items"]

    [sepia] = [item for item in items if item["effect"] == "sepia"]
    assert (sepia["package"], sepia["is_available"]) == ("ooblexd-sepia 1.0", True)
    tone = sepia["schema"]["properties"]["tone"]
    assert (tone["minimum"], tone["maximum"], tone["default"]) == (0, 1, 0.8)


def test_a_change_of_what_guards_nothing_never_covers_the_picture(
    appliance: Appliance,
) -> None:
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: viewer.pictures().count("live") > 2)
        since = len(viewer.parts)
        for chain in (
            ["blur_faces", {"effect": "sepia", "tone": 0.0}],
            ["blur_faces", {"effect": "sepia", "tone": 0.0}, "overlay"],
            ["blur_faces", {"effect": "sepia", "tone": 1.0}],
        ):
            path = "/api/v1/streams/door/effects"
            assert appliance.request("PUT", path, chain).status_code == 202
            is_wanted = chain[1] == {"effect": "sepia", "tone": 1.0}
            eventually(lambda w=is_wanted: is_brown(appliance) == w)  # type: ignore[misc] # bound now

    # On a busy machine a frame may come late, which is held; nothing more happens.
    assert set(viewer.pictures()[since:]) <= {"live", "held"}


def test_check_config_knows_an_installed_effect(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    file = tmp_path / "ooblexd.toml"
    file.write_text(TOML)
    command = [sys.executable, "-m", "ooblexd", "check-config", str(file)]

    known = subprocess.run(
        command, env={"PATH": "/usr/bin", **environment}, check=False
    )
    unknown = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert known.returncode == 0
    assert unknown.returncode == 2
    assert "unknown effect 'sepia'" in unknown.stderr
