"""What may stand in ``source``."""

from __future__ import annotations

from urllib.parse import urlsplit

from ooblexd.config.values import own_words
from ooblexd.errors import ConfigError
from ooblexd.sources.url import scheme_of

MAX_SOURCE_LETTERS = 2000
"""A plan travels in one message to each worker; longer ones are some mistake."""


def check_source(url: str) -> str:
    """Return ``url`` if this version can open such a source.

    Raises:
        PydanticCustomError: It cannot; the message names what can, never a login.
    """
    try:
        scheme_of(url)
    except ConfigError as exc:
        raise own_words(exc.problems[0]) from exc
    if len(url) > MAX_SOURCE_LETTERS:
        raise own_words(f"a source has at most {MAX_SOURCE_LETTERS} letters")
    if not url.isprintable() or '"' in url or "\\" in url:
        raise own_words("a source has no quotes, backslashes or control characters")
    if not _has_good_port(url):
        raise own_words("a source's port must be 1 to 65535")
    return url


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
