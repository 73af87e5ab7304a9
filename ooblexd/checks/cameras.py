"""The cameras of the configuration: each opened once, and watched for a moment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.sources import SourceOptions
from ooblexd.sources.probe import probe

if TYPE_CHECKING:
    from pathlib import Path

    from ooblexd.plan import StreamPlan
    from ooblexd.status import StreamStatus

OPEN_WITHIN_S = 6.0
WATCH_S = 1.0
# Who publishes to these is not here yet, and need not be.
_WAITING = ("whip", "upload", "rtmp-listen")


def check_camera(
    stream: StreamPlan, running: StreamStatus | None, config_path: Path
) -> list[Finding]:
    """Open the source of a stream, unless the running daemon reads it already.

    A camera may allow one connection only, so it is not taken from the daemon. And root
    does not run what somebody else may have written: the command of ``exec:``.

    Args:
        stream: Whose source.
        running: What the running daemon says of it.
        config_path: Where it is written.
    """
    name = f"camera {stream.name}"
    if running is not None and running.state == "running":
        text = f"the daemon reads it: {running.width}x{running.height}"
        return [ok(name, f"{text} at {running.fps_in:.0f} fps")]
    if stream.source.partition(":")[0].lower() in _WAITING:
        return [ok(name, "waits for somebody to publish")]
    if stream.source.startswith("exec:") and (owner := _foreign_owner(config_path)):
        text = f"not tried as root: {config_path} is {owner}'s"
        return [warn(name, text, f"sudo -u {owner} ooblexd doctor")]
    return _findings(name, stream)


def _findings(name: str, stream: StreamPlan) -> list[Finding]:
    options = SourceOptions(stream.transport, open_timeout_s=OPEN_WITHIN_S)
    report = probe(stream.source, options, WATCH_S)
    if report.video is None:
        text = f"{report.source}: {report.reason}"
        return [fail(name, text, _remedy(stream, report.reason))]
    video = report.video
    size = f"{video.width}x{video.height}"
    text = f"{video.codec} {size} at {video.fps:.0f} fps, by {report.transport}"
    told = [ok(name, text)]
    for warning in report.warnings:
        what, _, remedy = warning.partition("; ")
        told.append(warn(name, what, remedy))
    return told


def _foreign_owner(config_path: Path) -> str:
    """Return who owns the file, where we are root and that is somebody else."""
    try:
        found = config_path.stat()
    except OSError:
        return ""
    if os.geteuid() != 0 or found.st_uid == 0:
        return ""
    try:
        return config_path.owner()
    except KeyError:
        return f"#{found.st_uid}"


def _remedy(stream: StreamPlan, reason: str) -> str:
    key = f"streams.{stream.name}.source"
    if reason.startswith("login refused"):
        return f"mend user and password in {key}"
    if "://" not in stream.source:  # a file or a command of this machine
        return f"mend {key}"
    return f"is it on, and {key} right?"
