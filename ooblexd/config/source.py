"""What may stand in ``source``."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ooblexd.config.values import own_words
from ooblexd.errors import ConfigError
from ooblexd.plan import InputPlan, listening_of
from ooblexd.redaction import MASK
from ooblexd.sources.url import SCHEMES, scheme_of

if TYPE_CHECKING:
    from pydantic import ValidationInfo

MAX_SOURCE_LETTERS = 2000
"""A plan travels in one message to each worker; longer ones are some mistake."""

MAX_PUBLISH_KEY_LETTERS = 128

# What an address may hold unencoded (RFC 3986, 2.3), and a bearer token too.
_PUBLISH_KEY = re.compile(rf"[A-Za-z0-9._~-]{{0,{MAX_PUBLISH_KEY_LETTERS}}}")
_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")

_BY_API = "|".join(kind.name for kind in SCHEMES.values() if not kind.is_file_only)
BY_API = f"^ *({_BY_API}):"
"""Pattern of what the API may set; more is asked of it than a pattern could say."""


_RAW_FORMATS = ("i420", "nv12", "yuyv")


def check_source(url: str, info: ValidationInfo) -> str:
    """Return ``url`` if this version can open such a source.

    Args:
        url: The source.
        info: Its context is the kinds of source that a message may propose; None for
            all.

    Raises:
        PydanticCustomError: It cannot; the message names what can, never a login.
    """
    try:
        scheme = scheme_of(url, info.context or SCHEMES)
    except ConfigError as exc:
        raise own_words(exc.problems[0]) from exc
    if len(url) > MAX_SOURCE_LETTERS:
        raise own_words(f"a source has at most {MAX_SOURCE_LETTERS} letters")
    if not url.isprintable():
        raise own_words("a source has no control characters")
    if scheme.name == "exec":
        return url
    if '"' in url or "\\" in url:
        raise own_words("a source has no quotes or backslashes")
    if not _has_good_port(url):
        hint = "; write / # ? of a password as %2F %23 %3F" if "@" in url else ""
        raise own_words(f"a source's port must be 1 to 65535{hint}")
    _check_listening(url)
    return url


def check_publish_key(key: str) -> str:
    """Return ``key`` if every kind of publisher can give it.

    It stands in headers, in addresses, and in OBS's field for a stream key.

    Raises:
        PydanticCustomError: One cannot; the message never shows it.
    """
    if key == MASK:
        raise own_words(f"{MASK} stands for no key here; write it out")
    if _PUBLISH_KEY.fullmatch(key) is None:
        most = MAX_PUBLISH_KEY_LETTERS
        raise own_words(f"allowed are up to {most} of A-Z, a-z, 0-9, - . _ and ~")
    return key


def _check_listening(url: str) -> None:
    listening = listening_of(url)
    if listening is None:
        return
    place, path = listening
    try:
        ipaddress.ip_address(place.host)
    except ValueError:
        form = "0.0.0.0 for all, 127.0.0.1 for this machine, or one of its addresses"
        raise own_words(f"listens on an address: {form}") from None
    if _PATH.fullmatch(path) is None:
        raise own_words("needs a name behind the port: a-z, A-Z, 0-9, - . _ and /")


def check_input(source: str, wanted: InputPlan) -> None:
    """See that what a stream says of its input suits its source.

    Raises:
        PydanticCustomError: It does not; the message says what does.
    """
    scheme = scheme_of(source).name
    has_size = bool(wanted.width and wanted.height)
    if scheme not in ("exec", "/dev/") and wanted != InputPlan():
        raise own_words("only exec: and /dev/videoN sources have one")
    if bool(wanted.width) != bool(wanted.height):
        raise own_words("width and height belong together")
    if scheme == "/dev/" and wanted.format == "y4m":
        raise own_words("no device gives y4m")
    if scheme == "exec" and (wanted.format in _RAW_FORMATS) != has_size:
        raw = ", ".join(_RAW_FORMATS)
        rule = "are for raw pictures alone" if has_size else "must be said"
        raise own_words(f"width and height {rule} (format {raw})")


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
