"""The cameras of the configuration: each opened once, to see a picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.errors import ConfigError, SourceError, SourceRefusedError
from ooblexd.redaction import mask_url
from ooblexd.sources import SourceOptions, open_source

if TYPE_CHECKING:
    from pathlib import Path

    from ooblexd.plan import StreamPlan
    from ooblexd.status import StreamStatus

OPEN_WITHIN_S = 6.0
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
    try:
        text = _look(stream)
    except SourceRefusedError as error:
        remedy = f"correct streams.{stream.name}.source: user and password"
        return [fail(name, _told(stream, error), remedy)]
    except (SourceError, ConfigError) as error:
        remedy = f"is it on, and streams.{stream.name}.source right?"
        return [fail(name, _told(stream, error), remedy)]
    return [ok(name, text)]


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


def _told(stream: StreamPlan, error: Exception) -> str:
    return f"{mask_url(stream.source)}: {error}"


def _look(stream: StreamPlan) -> str:
    options = SourceOptions(stream.transport, open_timeout_s=OPEN_WITHIN_S)
    source = open_source(stream.source, options)
    try:
        picture = source.read()
        size = f"{picture.width}x{picture.height}"
        found = source.description
    finally:
        source.close()
    fps = f" at {found.fps:.0f} fps" if found.fps else ""
    return f"{found.codec} {size}{fps}, by {found.transport}"
