"""What a source's URL may be, known without opening it.

The configuration and the API ask this module; it loads no decoder and no numpy.
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Scheme:
    """One kind of source.

    Attributes:
        name: As users write it: ``rtsp``, ``file``; ``/dev/`` for devices.
        form: How a whole URL of it looks, for messages.
        is_file_only: Accepted from the configuration file but never by API, since it
            reads what lies on this machine.
    """

    name: str
    form: str
    is_file_only: bool = False


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("demo", "demo:"),
        Scheme("upload", "upload:"),
        Scheme("whip", "whip:"),
        Scheme("file", "file:PATH", is_file_only=True),
        Scheme("exec", "exec:COMMAND", is_file_only=True),
        Scheme("/dev/", "/dev/videoN", is_file_only=True),
        Scheme("rtsp", "rtsp://HOST/PATH"),
        Scheme("rtsps", "rtsps://HOST/PATH"),
        Scheme("rtmp", "rtmp://HOST/APP/KEY"),
        Scheme("rtmps", "rtmps://HOST/APP/KEY"),
        Scheme("rtmp-listen", "rtmp-listen://ADDRESS:PORT/NAME"),
        Scheme("rtsp-listen", "rtsp-listen://ADDRESS:PORT/NAME"),
        Scheme("udp", "udp://HOST:PORT"),
        Scheme("http", "http://HOST/PATH"),
        Scheme("https", "https://HOST/PATH"),
    )
}
"""Every kind of source that `ooblexd.sources.open_source` opens, by its scheme."""

BY_API = {name: scheme for name, scheme in SCHEMES.items() if not scheme.is_file_only}
"""Those that the API may name."""

_PORT_AT_END = re.compile(r":\d+$")
_END_OF_AUTHORITY = re.compile(r"[/?#]")
_BARE_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?(/[\w./-]*)?")
_HOST_AND_PORT = re.compile(r"(?:\[[0-9a-f:.%\w]+\]|[^:\[\]]*)(?::\d*)?", re.IGNORECASE)


def scheme_of(url: str, listed: Mapping[str, Scheme] = SCHEMES) -> Scheme:
    """Return the scheme of a source's URL.

    Args:
        url: The source.
        listed: Those that a message may propose.

    Raises:
        ConfigError: There is no such scheme, or the URL lacks its host or path; the
            message lists the schemes there are and never repeats the URL's login.
    """
    if url.startswith("/dev/"):
        return SCHEMES["/dev/"]
    name, colon, rest = url.partition(":")
    name = name.lower()
    scheme = SCHEMES.get(name) if colon else None
    if scheme is None:
        raise ConfigError([_no_such_scheme(url, name if colon else "", listed)])
    if scheme.form.endswith("PATH") and "//" not in scheme.form and not rest:
        raise ConfigError([f"a source {name}: needs a path: {scheme.form}"])
    if "//" in scheme.form:
        _check_place(url, scheme)
    if name == "exec":
        _check_command(rest)
    return scheme


def is_file_only(url: str) -> bool:
    """Say whether only the configuration file, never the API, may name this source.

    True also for any path, so that the API refuses what reads this machine in the same
    way whatever version runs.
    """
    name = url.partition(":")[0].lower()
    if url.startswith("/"):
        return True
    return name in SCHEMES and SCHEMES[name].is_file_only


def is_playlist(url: str) -> bool:
    """Say whether a URL by HTTP is of an HLS playlist, by the end of its path."""
    path = re.split("[?#]", split_login(url)[2], maxsplit=1)[0]
    return path.lower().endswith((".m3u8", ".m3u"))


def host_of(url: str) -> str:
    """Return host and port of a URL, without its login; empty where it has none."""
    return _authority(split_login(url)[2])


def split_login(url: str) -> tuple[str, str, str]:
    """Split ``SCHEME://LOGIN@PLACE``; the login is empty where there is none.

    Users paste passwords that hold ``@``, ``/``, ``?`` or ``#`` as they are. An ``@``
    behind the first ``/`` still ends a login where no host could stand before it: what
    follows the colon is no port.
    """
    scheme, _, rest = url.partition("://")
    authority = _authority(rest)
    if "@" in authority or ("@" in rest and not _HOST_AND_PORT.fullmatch(authority)):
        before = rest if "@" not in authority else authority
        login = before.rpartition("@")[0]
        return scheme, login, rest[len(login) + 1 :]
    return scheme, "", rest


def _authority(rest: str) -> str:
    return _END_OF_AUTHORITY.split(rest, maxsplit=1)[0]


def _check_place(url: str, scheme: Scheme) -> None:
    host = host_of(url)
    name = host.partition(":")[0] if not host.startswith("[") else host
    if "://" not in url or not name or not _HOST_AND_PORT.fullmatch(host):
        raise ConfigError([f"a source {scheme.name}: needs a host: {scheme.form}"])
    if scheme.name == "udp" and not _PORT_AT_END.search(host):
        raise ConfigError([f"a source udp: needs a port: {scheme.form}"])


def _check_command(command: str) -> None:
    try:
        arguments = shlex.split(command)
    except ValueError as exc:
        problem = f"a source exec: that cannot be split: {str(exc).lower()}"
        raise ConfigError([problem]) from None  # it would show the command
    if not arguments or not arguments[0]:
        raise ConfigError(["a source exec: needs a command: exec:COMMAND"])


def forms_of(schemes: Mapping[str, Scheme]) -> str:
    """Return how the URLs of ``schemes`` look, for messages."""
    return ", ".join(scheme.form for scheme in schemes.values())


def nearest_scheme(name: str, known: Iterable[str]) -> str:
    """Return which scheme a misspelt one may be; empty where it is like none.

    Letters in another order are likelier than others.
    """
    names = list(known)
    swapped = [one for one in names if sorted(one) == sorted(name)]
    near = swapped or difflib.get_close_matches(name, names, n=1)
    return near[0] if near else ""


def _no_such_scheme(url: str, name: str, listed: Mapping[str, Scheme]) -> str:
    allowed = forms_of(listed)
    if name and name.replace("+", "").replace("-", "").isalnum():
        near = nearest_scheme(name, listed)
        hint = f"; did you mean {near}:?" if near else ""
        return f"no source {name}:{hint} (allowed: {allowed})"
    if url.startswith("/"):
        return f"a path needs file: before it (allowed: {allowed})"
    hint = f"; did you mean rtsp://{url}?" if _BARE_HOST.fullmatch(url) else ""
    return f"a source is a URL{hint} (allowed: {allowed})"
