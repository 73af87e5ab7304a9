"""Who may ask: the checks that a request passes before anything looks at it.

Without them any web page that the owner of the box visits could drive the daemon
through the owner's own browser: by a name that resolves to 127.0.0.1 (so ``Host`` is on
an allow-list), or by a form posted across origins (so a body must be JSON, which a form
cannot have, and an ``Origin``, where there is one, must be ours). A form cannot send
``DELETE`` either, and a script that does must ask first, which nobody answers: so that
one needs no body.

All functions are pure: they take header values and return a verdict.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_ABSOLUTE = re.compile(r"https?://([^/]*)(/.*)?", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]+?)\.?(?::(\d{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def request_id_of(given: str | None) -> str:
    """Return the caller's id of a request where it is sane, else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return uuid.uuid4().hex


def split_target(target: str) -> tuple[str, str] | None:
    """Split an absolute-form request target, ``http://HOST/PATH``, as a proxy sends it.

    Args:
        target: Of the request line, without its query.

    Returns:
        The host, which stands for the ``Host`` header, and the path; None for any other
        target. Source: RFC 9112, section 3.2.2.
    """
    match = _ABSOLUTE.fullmatch(target)
    return (match[1], match[2] or "/") if match else None


def split_host(value: str) -> tuple[str, str] | None:
    """Split a ``Host`` header into the name in lower case and the port, maybe empty."""
    match = _HOST.fullmatch(value.strip())
    if match is None:
        return None
    return match[1].lower().strip("[]"), match[2] or ""


def is_allowed_host(value: str | None, allowed: Collection[str]) -> bool:
    """Say whether ``Host`` names this daemon.

    Loopback names are always allowed, by any port: whoever comes through a tunnel or a
    mapped port names that one, and an attacker's page cannot choose a name.

    Args:
        value: The header.
        allowed: Names, or names with ports, beside loopback.
    """
    parts = split_host(value) if value else None
    if parts is None:
        return False
    name, port = parts
    if name == "localhost" or _is_loopback_address(name):
        return True
    return any(_names(entry, name, port) for entry in allowed)


def _names(entry: str, name: str, port: str) -> bool:
    parts = split_host(entry)
    if parts is None:
        parts = (entry.lower(), "")
    return parts[0] == name and parts[1] in ("", port)


def _is_loopback_address(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_same_origin(origin: str, host: str) -> bool:
    """Say whether ``Origin`` is the page that this daemon serves under ``Host``.

    The scheme is not compared: behind a proxy that ends TLS the two differ.
    """
    try:
        url = urlsplit(origin)
    except ValueError:
        return False
    asked, ours = split_host(url.netloc), split_host(host)
    if url.scheme not in _DEFAULT_PORTS or asked is None or ours is None:
        return False
    default = _DEFAULT_PORTS[url.scheme]
    return (asked[0], asked[1] or default) == (ours[0], ours[1] or default)


def is_json(content_type: str | None) -> bool:
    """Say whether ``Content-Type`` is JSON, whatever its parameters."""
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"
