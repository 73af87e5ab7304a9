"""STUN and TURN servers, as one connection is told of them.

Control makes these values of the plan for each connection anew: the worker that has
the connection gets them as JSON, and whoever is at the other end as ``Link`` headers.
So a change holds from the next connection on, and a TURN server's secret never leaves
control: others get what is made of it, for a time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ooblexd.plan import IceServerPlan, WebrtcPlan

_NAME = "ooblexd"


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server as one connection may use it.

    Attributes:
        urls: Where it is, as RFC 7064 and 7065 have it.
        username: Of TURN; empty for STUN.
        credential: The user's password.
    """

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


@dataclass(frozen=True, slots=True)
class IceSettings:
    """How one connection finds its ways.

    Attributes:
        servers: To be asked, the preferred first.
        additional_hosts: Addresses, or names of such, that this machine has for others.
        first_port: UDP ports to use; 0 for any.
        last_port: Likewise, the last of them.
    """

    servers: tuple[IceServer, ...] = ()
    additional_hosts: tuple[str, ...] = ()
    first_port: int = 0
    last_port: int = 0


@dataclass(frozen=True, slots=True)
class IceAddress:
    """One address of a server, taken apart.

    Attributes:
        scheme: ``stun``, ``turn`` or ``turns``.
        host: A name or an address, without brackets.
        port: UDP or TCP.
        transport: ``udp`` or ``tcp``.
    """

    scheme: str
    host: str
    port: int
    transport: str


def settings_of(plan: WebrtcPlan, now_unix_s: float) -> IceSettings:
    """Return the settings of a connection that begins now."""
    until = int(now_unix_s) + plan.credentials_ttl_s
    return IceSettings(
        servers=tuple(_server_of(server, until) for server in plan.ice_servers),
        additional_hosts=plan.additional_hosts,
        first_port=plan.first_port,
        last_port=plan.last_port,
    )


def timed_credentials(secret: str, name: str, until_unix_s: int) -> tuple[str, str]:
    """Return a username and a password that a TURN server accepts until then.

    Args:
        secret: Shared with the server; coturn's ``static-auth-secret``.
        name: For the server's log.
        until_unix_s: When they end.

    Source: draft-uberti-behave-turn-rest-00, section 2.2: the user's name is
    ``expiry:name``, the password ``base64(HMAC-SHA1(secret, user's name))``.
    """
    username = f"{until_unix_s}:{name}"
    digest = hmac.digest(secret.encode(), username.encode(), hashlib.sha1)
    return username, base64.b64encode(digest).decode()


def links_of(server: IceServer) -> list[str]:
    """Return the values of the ``Link`` headers that name a server.

    Source: RFC 9725, section 4.6.
    """
    quoted = (_quoted(text) for text in (server.username, server.credential))
    login = 'username="{}"; credential="{}"; credential-type="password"'.format(*quoted)
    return [
        f'<{url}>; rel="ice-server"' + (f"; {login}" if url.startswith("turn") else "")
        for url in server.urls
    ]


def parse_address(url: str) -> IceAddress:
    """Take apart an address that the configuration has accepted.

    Source: RFC 7064 and 7065 for the ports and transports that need not be said.
    """
    scheme, _, rest = url.partition(":")
    place, _, transport = rest.partition("?transport=")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, ""
    usual_port = 5349 if scheme == "turns" else 3478
    usual_transport = "tcp" if scheme == "turns" else "udp"
    return IceAddress(
        scheme, host.strip("[]"), int(port or usual_port), transport or usual_transport
    )


def format_settings(settings: IceSettings) -> str:
    """Return ``settings`` as JSON."""
    return json.dumps(asdict(settings), separators=(",", ":"))


def parse_settings(text: str) -> IceSettings:
    """Return what `format_settings` wrote; none of it for an empty text."""
    if not text:
        return IceSettings()
    fields = json.loads(text)
    fields["additional_hosts"] = tuple(fields["additional_hosts"])
    fields["servers"] = tuple(
        IceServer(**{**server, "urls": tuple(server["urls"])})
        for server in fields["servers"]
    )
    return IceSettings(**fields)


def _server_of(plan: IceServerPlan, until_unix_s: int) -> IceServer:
    username, credential = plan.username, plan.password
    if plan.secret:
        name = plan.username or _NAME
        username, credential = timed_credentials(plan.secret, name, until_unix_s)
    return IceServer(plan.urls, username, credential)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
