"""Takes credentials out of text before anybody sees it.

Whatever a library says may quote the URL it was given, so every text that comes from
one passes `redact` on its way to a log, an error or an answer.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "***"

# Greedy up to the last @: a password may hold anything, an @ or a / too, and masking a
# path that holds an @ does less harm than showing a password that holds a /.
_LOGIN = re.compile(r"([a-z][a-z0-9+.-]*://)\S*@", re.IGNORECASE)
_SECRET_WORD = (
    r"[\w.-]*(?:pass|pwd|pw|secret|token|key|auth|signature|credential)[\w.-]*"  # noqa: S105 - the words that mark one
)
_SECRET_VALUE = re.compile(
    rf"((?:^|[?&;,\s]){_SECRET_WORD}=)[^&#;\s\"'<>]+", re.IGNORECASE
)
_SHORT_LOGIN = re.compile(
    r"([?&;](?:user|usr|login|u|p)=)[^&#;\s\"'<>]*", re.IGNORECASE
)
_SECRET_OPTION = re.compile(rf"(\s--?{_SECRET_WORD}\s+)\S+", re.IGNORECASE)
_HEADER = re.compile(r"(authorization:\s*)[^\r\n]*", re.IGNORECASE)


def redact(text: str) -> str:
    """Return ``text`` with the credentials of all URLs in it masked.

    Masked are user and password before a host, values of query parameters whose name
    speaks of a secret or a login, what follows such an option of a command, and
    ``Authorization`` headers.
    """
    text = _HEADER.sub(rf"\1{MASK}", text)
    text = _LOGIN.sub(rf"\1{MASK}@", text)
    text = _SECRET_OPTION.sub(rf"\1{MASK}", text)
    text = _SECRET_VALUE.sub(rf"\1{MASK}", text)
    return _SHORT_LOGIN.sub(rf"\1{MASK}", text)


def mask_secrets(stream: dict[str, Any]) -> dict[str, Any]:
    """Return a stream's table, of the configuration, as it may be shown."""
    key = MASK if stream["publish_key"] else ""
    return {**stream, "source": mask_url(stream["source"]), "publish_key": key}


def has_secrets(source: str, publish_key: str) -> bool:
    """Say whether a stream's source or key is to be kept from others."""
    return bool(publish_key) or mask_url(source) != source


def mask_url(url: str) -> str:
    """Return a source's URL as it may be shown: as `redact`, and without white space.

    White space ends a URL within a text but not here, so a URL with some in its login
    is masked whole.
    """
    if re.search(r"\s", url.partition("@")[0]) and "@" in url:
        scheme = url.partition("://")[0] if "://" in url else url.partition(":")[0]
        url = f"{scheme}://{MASK}@{url.rpartition('@')[2]}"
    return redact(url)
