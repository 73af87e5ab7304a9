"""The commands of the repository, and what they install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ooblexd.config.load import check_config
from tests.support.repository import ROOT, imports_of, module_names

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    "tools/run",
    "tools/test",
    "tools/check",
    "tools/bench",
    "tools/arm",
    ".ci/run",
)
PROJECT = (ROOT / "pyproject.toml").read_text()
# Which distribution brings a module that has another name; pydantic's are its API.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "pydantic_core": "pydantic",
    "annotated_types": "pydantic",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_an_executable_without_mistakes_of_syntax(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / command], check=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_what_it_does(command: str) -> None:
    shebang, comment = (ROOT / command).read_text().splitlines()[:2]

    assert shebang == "#!/usr/bin/env bash"
    assert comment.startswith("# ")
    assert comment.endswith((".", ":"))


def test_no_shell_script_has_a_mistake_that_shellcheck_knows() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("apt install shellcheck")

    subprocess.run(["shellcheck", "-x", "-P", "tools", *COMMANDS], cwd=ROOT, check=True)


@pytest.mark.parametrize("form", ["--config {}", "--config={}"])
def test_a_missing_configuration_is_told_before_anything_is_installed(
    tmp_path: Path, form: str
) -> None:
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    missing = tmp_path / "door.toml"

    answer = subprocess.run(
        [tmp_path / "tools/run", *form.format(missing).split()],
        # Nothing could be installed by it.
        env={"PATH": os.environ["PATH"], "PYTHON": str(tmp_path / "no-python")},
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert answer.returncode == 2
    assert answer.stderr.splitlines() == check_config(missing, {})


def test_ci_checks_and_tests() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()

    assert lines[-2:] == ["tools/check", "tools/test"]


def test_an_apt_package_that_a_test_asks_for_is_installed_for_it() -> None:
    listed = re.search(
        r"apt_packages=\((.*?)\n\)", (ROOT / "tools/test").read_text(), re.DOTALL
    )
    assert listed
    installed = set(re.sub(r"#.*", "", listed[1]).split())
    asked: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        text = re.sub(r'"\s*\n\s*"', "", path.read_text())
        for names in re.findall(
            r"apt(?: install|-get install|:) ([a-z0-9.+ -]+)", text
        ):
            asked.update(names.split())

    # Whoever has a clone has git, and tools/test takes promtool out of prometheus.
    assert asked - {"git", "prometheus"} <= installed


def test_a_library_that_is_imported_is_a_dependency() -> None:
    imported = {name.split(".")[0] for m in module_names() for name in imports_of(m)}
    foreign = imported - set(sys.stdlib_module_names) - {"ooblexd", "_atomics"}

    undeclared = {
        name
        for name in foreign
        if not re.search(
            rf'^    "{DISTRIBUTIONS.get(name, name).replace("_", "[-_]")}\b',
            PROJECT,
            re.MULTILINE,
        )
    }

    assert not undeclared
