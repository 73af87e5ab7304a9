"""Rules of the house that neither ruff nor mypy knows."""

from __future__ import annotations

import ast
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.repository import PACKAGE, ROOT, module_names, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BANNED_MODULES = {
    *("util", "utils", "common", "helper", "helpers", "misc", "base", "core"),
    *("manager", "handler", "types"),
}
BANNED_CLASSES = re.compile(
    r"(Manager|Handler|Helper|Processor|Controller|Service|Util|Wrapper|Impl|Base)$"
)
BROAD_EXCEPTIONS = {"Exception", "BaseException"}
TOP_LEVEL = {
    *("ooblexd", "systemd", "config", "tools", "tests", "pyproject.toml"),
    *("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
}
TEXT = {".py", ".pyi", ".c", ".md", ".toml", ".sh", ".js", ".css", ".html", ""}


def definitions(module: str) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    for node in ast.walk(source_of(module)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node


def tracked() -> list[str]:
    """Return the files of the repository; skip where there is no git."""
    try:
        listing = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: apt install git")
    return [name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("module", module_names())
def test_a_name_says_what_a_thing_is(module: str) -> None:
    assert module.rsplit(".", maxsplit=1)[-1] not in BANNED_MODULES
    for node in definitions(module):
        if isinstance(node, ast.ClassDef):
            assert not BANNED_CLASSES.search(node.name), node.name
        else:
            assert not node.name.lstrip("_").startswith("get_"), node.name


def test_nothing_is_mocked() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path.name != "test_style.py":
            assert "unittest.mock" not in path.read_text(), path


def test_each_judgement_on_a_checker_has_its_reason() -> None:
    mute = re.compile(
        r"# (noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]|noqa|type: ignore)\s*$"
    )
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not mute.search(line), f"{path}:{number}: {line}"


def test_the_top_level_holds_what_a_stranger_expects() -> None:
    names = {name.split("/")[0] for name in tracked()}

    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_nothing_waits_to_be_written_and_nothing_names_one_machine() -> None:
    # In brackets, so that this file does not find itself.
    banned = re.compile("[T]ODO|[F]IXME|[X]XX|/[w]ork/|/[r]oot/")
    for name in tracked():
        path = ROOT / name
        if path.suffix in TEXT and name != "LICENSE":
            found = banned.search(path.read_text())
            assert not found, f"{name}: {found[0] if found else ''}"
