"""What ooblexd is compared with, where ``tools/bench --peers`` has put it."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from tests.support.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_PEERS = ROOT / ".venv-peers"
_PACKAGES = str(_PEERS / "packages")
_UNPACKED = _PEERS / "root"


class PeerMissingError(Exception):
    """A peer is not there; the message says why and what brings it."""


def peer_module(peer: str, name: str) -> Any:
    """Return a Python package of ``peer``, untyped as it is.

    Raises:
        PeerMissingError: It is not there.
    """
    if _PACKAGES not in sys.path:
        sys.path.append(_PACKAGES)
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise _missing(peer) from exc


def peer_program(peer: str, name: str) -> Path:
    """Return where a program of ``peer`` is.

    Raises:
        PeerMissingError: It is not there.
    """
    folders = [str(_UNPACKED / "usr" / "bin"), os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise _missing(peer)
    return ROOT / found


def peer_python(peer: str) -> Path:
    """Return the interpreter of the environment that ``peer`` has for itself.

    Raises:
        PeerMissingError: It is not there.
    """
    python = _PEERS / peer / "bin" / "python"
    if not (_PEERS / f"{peer}.installed").exists():
        raise _missing(peer)
    return python


def peer_environment() -> dict[str, str]:
    """Return the environment in which a program of a peer finds its libraries."""
    shared = (_UNPACKED / "usr" / "lib").glob("*-linux-*/**/lib*.so*")
    libraries = sorted({str(path.parent) for path in shared})
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(libraries)}


def _missing(peer: str) -> PeerMissingError:
    reason = _PEERS / f"{peer}.missing"
    if reason.exists():
        return PeerMissingError(f"not installed: {reason.read_text().strip()}")
    return PeerMissingError("not installed: tools/bench --peers brings it")
