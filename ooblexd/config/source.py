"""What may stand in ``source``, and how it is shown: never with its secret."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ooblexd.config.values import own_words
from ooblexd.errors import ConfigError
from ooblexd.sources.url import scheme_of

SECRET = "***"  # noqa: S105 - what is shown in the place of a secret
"""Stands where a secret was; sent back by the API's caller, it means "unchanged"."""

_SECRET_KEY = re.compile(r"pass|pwd|secret|token|key|auth", re.IGNORECASE)


def check_source(url: str) -> str:
    """Return ``url`` if this version can open such a source.

    Raises:
        PydanticCustomError: It cannot; the message names what can, never a login.
    """
    try:
        scheme_of(url)
    except ConfigError as exc:
        raise own_words(exc.problems[0]) from exc
    if not _has_good_port(url):
        raise own_words("a source's port must be 1 to 65535")
    return url


def mask_source(url: str) -> str:
    """Return ``url`` with ``***`` for its user, password and secret query values."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return SECRET
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{SECRET}@{host}" if "@" in parts.netloc else parts.netloc
    return urlunsplit(parts._replace(netloc=netloc, query=_mask_query(parts.query)))


def _mask_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_SECRET_KEY.search(key) for key, _ in pairs):
        return query
    masked = [(k, SECRET if _SECRET_KEY.search(k) else v) for k, v in pairs]
    return urlencode(masked, safe="*/:")


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
