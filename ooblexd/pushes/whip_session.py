"""The HTTP of a push by WHIP: an offer goes, an answer comes, and a farewell."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from ooblexd._version import __version__
from ooblexd.errors import PushError, PushRefusedError
from ooblexd.pushes.words import scrub
from ooblexd.sources.url import split_login

if TYPE_CHECKING:
    from collections.abc import Mapping

_WITHIN_S = 8.0
_GOODBYE_S = 2.0
_MOST_BYTES = 1 << 18
_MOST_REDIRECTS = 3
_SCHEMES = {"whip": "http", "whips": "https"}
_MOVED = (301, 302, 307, 308)
_REFUSED = {
    401: "login refused (401)",
    403: "login refused (403)",
    404: "nothing at this path (404)",
    405: "it is no WHIP server (405)",
}


class _Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: str


class WhipSession:
    """One session with a WHIP server.

    Args:
        url: As configured: a token before the host is sent as ``Bearer``.
    """

    def __init__(self, url: str) -> None:
        scheme, login, place = split_login(url)
        self._url = url
        self._endpoint = f"{_SCHEMES.get(scheme.lower(), scheme)}://{place}"
        user, colon, password = login.partition(":")
        self._token = unquote(password if colon else user)
        self._resource = ""

    def post(self, offer: str) -> str:
        """Return the server's answer to an offer, both SDP.

        Raises:
            PushRefusedError: It does not want it, or not from us.
            PushError: It does not answer.
        """
        endpoint = self._endpoint
        for _ in range(_MOST_REDIRECTS):
            reply = self._ask("POST", endpoint, offer, _WITHIN_S)
            place = reply.headers.get("location", "")
            if reply.status not in _MOVED or not place:
                break
            moved = urljoin(endpoint, place)
            if not _is_same_place(endpoint, moved):
                self._token = ""  # it is meant for another
            endpoint = moved
        if reply.status == http.client.CREATED:
            self._resource = urljoin(endpoint, reply.headers.get("location", ""))
            return reply.body
        raise self._refusal(reply)

    def delete(self) -> None:
        """End the session; who does not answer hears nothing more of us anyway."""
        resource, self._resource = self._resource, ""
        if not resource:
            return
        try:
            self._ask("DELETE", resource, "", _GOODBYE_S)
        except PushError:
            return

    def _ask(self, method: str, url: str, body: str, within_s: float) -> _Reply:
        parts = urlsplit(url)
        headers = {"User-Agent": f"ooblexd/{__version__}"}
        if body:
            headers |= {"Content-Type": "application/sdp", "Accept": "application/sdp"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = _connection_to(url, within_s)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            said = response.read(_MOST_BYTES).decode(errors="replace")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _explained(error, parts.hostname or "", within_s) from error
        finally:
            connection.close()
        told = {key.lower(): value for key, value in response.getheaders()}
        return _Reply(response.status, told, said)

    def _refusal(self, reply: _Reply) -> PushError:
        if reply.status in _REFUSED:
            return PushRefusedError(_REFUSED[reply.status])
        if reply.status == http.client.CONFLICT:
            return PushError("somebody publishes there already (409)")
        if reply.status >= http.client.INTERNAL_SERVER_ERROR:
            return PushError(f"the server reports an error of its own ({reply.status})")
        first = scrub(reply.body.strip().partition("\n")[0][:80], self._url)
        said = f": {first}" if first.isprintable() and first else ""
        return PushRefusedError(f"the server refuses it ({reply.status}){said}")


def _connection_to(url: str, within_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                host, parts.port, timeout=within_s, context=context
            )
        return http.client.HTTPConnection(host, parts.port, timeout=within_s)
    except ValueError as error:
        raise PushError("its port is no number") from error


def _is_same_place(one: str, other: str) -> bool:
    return urlsplit(one)[:2] == urlsplit(other)[:2]


def _explained(error: Exception, host: str, within_s: float) -> PushError:
    if isinstance(error, socket.gaierror):
        return PushError(f"there is no host {host}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return PushRefusedError("the server's certificate is not to be trusted")
    if isinstance(error, ConnectionRefusedError):
        return PushError("connection refused")
    if isinstance(error, TimeoutError):
        return PushError(f"no answer within {within_s:g} s")
    if not isinstance(error, OSError):
        return PushError("what answers is no web server")
    is_tls = isinstance(error, ssl.SSLError)
    strange = f"it cannot be reached: {error.strerror or error}"
    return PushError("it does not speak TLS" if is_tls else strange)
