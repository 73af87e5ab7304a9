"""What we may read and write, and who may read what is secret."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.redaction import has_secrets

if TYPE_CHECKING:
    from ooblexd.plan import DaemonPlan


def check_config_file(path: Path, plan: DaemonPlan | None) -> list[Finding]:
    """Judge who may read and write the configuration: it holds passwords and commands.

    Args:
        path: Of the file.
        plan: What it says; None where it cannot be used.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return []  # there is none, or it was told already that it cannot be read
    quoted = shlex.quote(str(path))
    if mode & stat.S_IWOTH:
        text = f"anybody may write {path}, and so choose what runs"
        return [fail("config file", text, f"chmod o-rwx {quoted}")]
    streams = plan.streams if plan else ()
    holds_secrets = any(has_secrets(one.source, one.publish_key) for one in streams)
    servers = plan.webrtc.ice_servers if plan else ()
    holds_secrets |= any(server.password or server.secret for server in servers)
    if holds_secrets and mode & stat.S_IROTH:
        text = f"anybody may read {path}, and there are passwords in it"
        return [warn("config file", text, f"chmod o-rwx {quoted}")]
    if not os.access(path.parent, os.W_OK):
        text = f"{path.parent} is not ours to write: changes by the API are refused"
        return [warn("config file", text, f"sudo chown {_me()} {path.parent}")]
    return [ok("config file", f"{path}, mode {stat.S_IMODE(mode):04o}")]


def check_state_folder(folder: Path) -> list[Finding]:
    """Judge the folder of what must last."""
    if folder.is_dir():
        if os.access(folder, os.W_OK | os.X_OK):
            return [ok("state", f"{folder}")]
        text = f"{folder} is not ours to write"
        return [warn("state", text, f"sudo chown -R {_me()} {folder}")]
    above = next(path for path in folder.parents if path.exists())
    if os.access(above, os.W_OK | os.X_OK):
        return [ok("state", f"{folder} is made when it is needed")]
    text = f"{folder} is not there and cannot be made"
    return [warn("state", text, f"sudo install -d -o {_me()} {folder}")]


def check_devices(plan: DaemonPlan | None, folder: Path) -> list[Finding]:
    """Judge whether cameras and graphics nodes are ours to open.

    Args:
        plan: Names the cameras that must be.
        folder: ``/dev``.
    """
    streams = plan.streams if plan else ()
    wanted = {stream.source for stream in streams if stream.enabled}
    cameras = sorted(folder.glob("video[0-9]*"))
    nodes = sorted((folder / "dri").glob("renderD*"))
    shut = [
        path for path in (*cameras, *nodes) if not os.access(path, os.R_OK | os.W_OK)
    ]
    findings = [_shut(path, is_wanted=str(path) in wanted) for path in shut]
    opened = [path.name for path in (*cameras, *nodes) if path not in shut]
    if opened:
        findings.append(ok("devices", f"ours to open: {', '.join(opened)}"))
    return findings or [ok("devices", "no camera and no graphics node on this box")]


def _shut(path: Path, *, is_wanted: bool) -> Finding:
    try:
        group = path.group()
    except (KeyError, OSError):  # a group of the host that this container lacks
        group = "render" if "render" in path.name else "video"
    remedy = f"sudo usermod -aG {group} {_me()}, and log in again"
    judge = fail if is_wanted else warn
    return judge("devices", f"{path} is not ours to open", remedy)


def _me() -> str:
    try:
        return Path("/proc/self").owner()
    except (KeyError, OSError):
        return str(os.geteuid())
