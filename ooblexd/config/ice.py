"""What may stand in ``[webrtc]``: servers, addresses and ports."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ooblexd.config.values import own_words

MAX_ICE_SERVERS = 8
MAX_ICE_URLS = 4
MAX_ADDITIONAL_HOSTS = 8

# RFC 7064 and 7065; an IPv6 address stands in brackets.
_URL = re.compile(
    r"(stun|turn|turns):(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?"
    r"(\?transport=(?:udp|tcp))?"
)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
_LEAST_PORT, _MOST_PORT, _FEWEST_PORTS = 1024, 65535, 10
_FORMS = "stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp] or turns:HOST[:PORT]"


def check_credentials(
    urls: tuple[str, ...], username: str, password: str, secret: str
) -> None:
    """See that a server has what it takes to be let in, and no more.

    Raises:
        PydanticCustomError: It has not; the message holds no secret.
    """
    if password and secret:
        raise own_words("password and secret exclude each other")
    if password and not username:
        raise own_words("a password needs its username")
    is_turn = any(url.startswith("turn") for url in urls)
    if is_turn and not (password or secret):
        raise own_words("a turn: server needs username and password, or secret")


def ports_of(text: str) -> tuple[int, int]:
    """Return the first and the last port of a checked range; zeros for any."""
    found = _PORTS.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _check_url(url: str) -> str:
    found = _URL.fullmatch(url)
    if found is None:
        raise own_words(f"not the address of a server, allowed {_FORMS}")
    scheme, _, port, transport = found.groups()
    if port is not None and not 1 <= int(port) <= _MOST_PORT:
        raise own_words(f"port {port}, allowed 1 to {_MOST_PORT}")
    if scheme == "stun" and transport:
        raise own_words("a stun: address has no transport (RFC 7064)")
    if scheme == "turns" and transport == "?transport=udp":
        raise own_words("turns: is spoken over TCP alone here")
    return url


def _check_credential(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise own_words("must be printable ASCII: it travels in a header")
    return text


def _check_host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if _HOST.fullmatch(host) is None:
            raise own_words(f"{host!r}, allowed an address or a host name") from None
        return host


def _check_ports(text: str) -> str:
    if not text:
        return text
    found = _PORTS.fullmatch(text)
    if found is None:
        raise own_words(f'{text!r}, allowed "" or a range such as "50000-50200"')
    first, last = int(found[1]), int(found[2])
    if not _LEAST_PORT <= first <= last <= _MOST_PORT:
        raise own_words(f"{text!r}, allowed {_LEAST_PORT} to {_MOST_PORT}, in order")
    if last - first + 1 < _FEWEST_PORTS:
        raise own_words(
            f"{text!r}, at least {_FEWEST_PORTS} ports: each viewer takes one"
        )
    return text


IceUrl = Annotated[str, AfterValidator(_check_url)]
"""Where a STUN or TURN server is."""

IceUrls = Annotated[
    tuple[IceUrl, ...],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=MAX_ICE_URLS),
]
"""One address, or several of the same server."""

Credential = Annotated[
    str, Field(repr=False, max_length=256), AfterValidator(_check_credential)
]
"""A user's name or a secret."""

AnnouncedHost = Annotated[str, AfterValidator(_check_host)]
"""An address, or a name of one, by which this machine is reached from elsewhere."""

PortRange = Annotated[str, AfterValidator(_check_ports)]
"""UDP ports, ``"50000-50200"``; empty for any."""
