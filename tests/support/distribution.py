"""The package as people get it: a source distribution, and the wheel built from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.support.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_NOT_SOURCES = shutil.ignore_patterns(
    ".git", ".venv*", "*.so", "build", "dist", "*.egg-info", "__pycache__", ".*_cache"
)


class Distributions(NamedTuple):
    """Their files."""

    sdist: Path
    wheel: Path


def build_distributions(folder: Path) -> Distributions:
    """Build both in ``folder``, with the setuptools of this environment."""
    sources = folder / "sources"
    shutil.copytree(ROOT, sources, symlinks=True, ignore=_NOT_SOURCES)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "-o", folder, sources],
        check=True,
        capture_output=True,
    )
    return Distributions(*folder.glob("*.tar.gz"), *folder.glob("*.whl"))
