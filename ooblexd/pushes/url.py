"""What may stand in ``push``, known without connecting to it.

The configuration and the API ask this module; it loads no encoder and no WebRTC.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ooblexd.audio import AudioCodec
from ooblexd.errors import ConfigError
from ooblexd.redaction import MASK
from ooblexd.sources.url import host_of, nearest_scheme, split_login

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ooblexd.plan import PushPlan

MOST_PUSHES = 8
"""Of one stream; each costs a process, or a connection by WebRTC."""

MOST_LETTERS = 1000
"""Of one; a plan travels in one message to each worker."""


@dataclass(frozen=True, slots=True)
class PushKind:
    """One way to push.

    Attributes:
        name: As users write it: ``rtmp``, ``exec``.
        form: How a whole URL of it looks, for messages.
        is_file_only: Accepted from the configuration file but never by API, since it
            reaches into this machine.
    """

    name: str
    form: str
    is_file_only: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        PushKind("rtmp", "rtmp://HOST/APP/KEY"),
        PushKind("rtmps", "rtmps://HOST/APP/KEY"),
        PushKind("rtsp", "rtsp://HOST/PATH"),
        PushKind("rtsps", "rtsps://HOST/PATH"),
        PushKind("whip", "whip://HOST/PATH"),
        PushKind("whips", "whips://TOKEN@HOST/PATH"),
        PushKind("http", "http://HOST/PATH"),
        PushKind("https", "https://TOKEN@HOST/PATH"),
        PushKind("exec", "exec:COMMAND", is_file_only=True),
        PushKind("v4l2", "v4l2:/dev/videoN", is_file_only=True),
    )
}
"""Every kind of push that `ooblexd.pushes.open_destination` opens, by its scheme."""

BY_API = {name: kind for name, kind in KINDS.items() if not kind.is_file_only}
"""Those that the API may name."""

_SRT = (
    "no push by srt: the FFmpeg within has no SRT; one of the system's that has it: "
    "exec:ffmpeg -i - -c copy -f mpegts srt://HOST:PORT"
)
_DEVICE = re.compile(r"/dev/video\d{1,3}")
_SECRET_LETTERS = 20  # of a part of a path; nobody calls a stream so


def kind_of(url: str, listed: Mapping[str, PushKind] = KINDS) -> PushKind:
    """Return the kind of a push.

    Args:
        url: Where to.
        listed: Those that a message may propose.

    Raises:
        ConfigError: There is no such kind, or the URL lacks something; the message
            never repeats what may be secret.
    """
    name, colon, rest = url.partition(":")
    name = name.lower()
    if name == "srt":
        raise ConfigError([_SRT])
    kind = KINDS.get(name) if colon else None
    if kind is None:
        raise ConfigError([_no_such_kind(name if colon else "", listed)])
    if "//" in kind.form.partition(":")[2][:2]:
        _check_place(url, kind)
    if name == "exec":
        _check_command(rest)
    if name == "v4l2" and not _DEVICE.fullmatch(rest):
        raise ConfigError([f"a push v4l2: needs a device: {kind.form}"])
    return kind


def is_file_only(url: str) -> bool:
    """Say whether only the configuration file, never the API, may name this push.

    True also for any path, so that the API refuses what reaches into this machine in
    the same way whatever version runs.
    """
    name = url.partition(":")[0].lower()
    return url.startswith("/") or (name in KINDS and KINDS[name].is_file_only)


def forms_of(kinds: Mapping[str, PushKind]) -> str:
    """Return how the URLs of ``kinds`` look, for messages."""
    return ", ".join(kind.form for kind in kinds.values())


def mask_push(url: str) -> str:
    """Return where a push goes as it may be shown.

    A stream key is the end of an RTMP address, or a part of that of a WHIP server; a
    command may hold anything, so only its name is shown.
    """
    name = url.partition(":")[0].lower()
    if name == "exec":
        command, _, rest = url.partition(" ")
        return f"{command} {MASK}" if rest else command
    if name == "v4l2":
        return url
    scheme, login, place = split_login(url)
    host = host_of(url)
    path, mark, _ = re.sub(r"\s", MASK, place[len(host) :]).partition("?")
    path = path.partition("#")[0]
    if name.startswith("rtmp"):
        application = path.split("/")[1] if path.count("/") > 1 else ""
        shown = f"/{application}/{MASK}" if application else f"/{MASK}"
    else:
        parts = path.split("/")
        shown = "/".join(p if len(p) < _SECRET_LETTERS else MASK for p in parts)
    login = f"{MASK}@" if login else ""
    return f"{scheme}://{login}{host}{shown}{f'?{MASK}' if mark else ''}"


def names_of(urls: Iterable[str]) -> list[str]:
    """Return how each push is called in the log and in answers, no two alike."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for url in urls:
        shown = mask_push(url)
        seen[shown] += 1
        names.append(shown if seen[shown] == 1 else f"{shown} ({seen[shown]})")
    return names


def number_of(plan: PushPlan) -> int:
    """Return a number of 64 bits by which a push is found on the board; never 0."""
    told = f"{plan.format} {plan.silent_audio} {plan.url}".encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:8], "little") | 1


def sound_of(plan: PushPlan) -> AudioCodec | None:
    """Return as what sound goes along; None where none does."""
    scheme = plan.url.partition(":")[0].lower()
    if scheme in ("whip", "whips"):
        return AudioCodec.OPUS
    is_protocol = scheme in ("rtmp", "rtmps", "rtsp", "rtsps")
    if is_protocol or (scheme == "exec" and plan.format == "mpegts"):
        return AudioCodec.AAC
    return None


def secrets_of(url: str) -> list[str]:
    """Return the pieces of a push's URL that no message may repeat."""
    if url.partition(":")[0].lower() == "exec":
        return []
    _, login, place = split_login(url)
    path = place[len(host_of(url)) :].partition("?")
    parts = [part for part in path[0].split("/") if part]
    if url.lower().startswith("rtmp"):
        parts = parts[1:]  # the application
    elif not url.lower().startswith("rtsp"):
        parts = [part for part in parts if len(part) >= _SECRET_LETTERS]
    else:
        parts = []
    return [piece for piece in (login, *login.split(":"), path[2], *parts) if piece]


def _check_place(url: str, kind: PushKind) -> None:
    host = host_of(url)
    if "://" not in url or not host.partition(":")[0].strip("[]"):
        raise ConfigError([f"a push {kind.name}: needs a host: {kind.form}"])
    path = split_login(url)[2][len(host) :]
    if not path.strip("/"):
        raise ConfigError([f"a push {kind.name}: needs a path: {kind.form}"])
    if kind.name.startswith("rtmp") and path.strip("/").count("/") < 1:
        problem = f"a push {kind.name}: needs an application and a key: {kind.form}"
        raise ConfigError([problem])


def _check_command(command: str) -> None:
    try:
        arguments = shlex.split(command)
    except ValueError as exc:
        problem = f"a push exec: that cannot be split: {str(exc).lower()}"
        raise ConfigError([problem]) from None  # it would show the command
    if not arguments or not arguments[0]:
        raise ConfigError(["a push exec: needs a command: exec:COMMAND"])


def _no_such_kind(name: str, listed: Mapping[str, PushKind]) -> str:
    allowed = forms_of(listed)
    if name and name.replace("+", "").replace("-", "").isalnum():
        near = nearest_scheme(name, listed)
        hint = f"; did you mean {near}:?" if near else ""
        return f"no push {name}:{hint} (allowed: {allowed})"
    return f"a push is a URL (allowed: {allowed})"
