"""Versions of what a client has read, so that it changes nothing it has not seen."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ooblexd.control.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request


def etag_of(value: Any, salt: str) -> str:
    """Name the version of ``value``, from JSON, as an ETag.

    Args:
        value: With its secrets: a changed password must change the tag.
        salt: Of this process, so that nobody can guess a secret from a tag.
    """
    text = json.dumps([value, salt], sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'


def check_match(request: Request, etag: str, what: str) -> None:
    """Refuse a change of what is no longer as its sender has read it (``If-Match``).

    Raises:
        ProblemError: 412.
    """
    wanted = request.headers.get("if-match", "*").strip()
    tags = [tag.strip() for tag in wanted.split(",")]
    if wanted != "*" and etag not in tags:
        raise ProblemError(412, f"{what} has been changed meanwhile; read it again")
