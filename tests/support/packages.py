"""Packages with effects of their own, installed as their users do it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).parents[1] / "packages"


def install(name: str, target: Path) -> dict[str, str]:
    """Install a package of `tests/packages` by pip, without a network.

    Args:
        name: Of its folder.
        target: An own folder to install into; it need not exist.

    Returns:
        The environment in which Python finds it.
    """
    source = target.with_name(f"{target.name}-{name}-source")  # builds leave traces
    shutil.copytree(PACKAGES / name, source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", target, source],
        check=True,
        capture_output=True,
        text=True,
    )
    path = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path}
