"""What may stand in ``push``, and what of it comes back from the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ooblexd.config.values import own_words
from ooblexd.errors import ConfigError
from ooblexd.pushes.url import BY_API as LISTED
from ooblexd.pushes.url import KINDS, MOST_LETTERS, kind_of, mask_push
from ooblexd.redaction import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationInfo

    from ooblexd.config.schema import PushConfig
    from ooblexd.plan import Listening


BY_API = f"^ *({'|'.join(LISTED)}):"
"""Pattern of what the API may set; more is asked of it than a pattern could say."""


_PORTS = {"rtmp": 1935, "rtsp": 554}
_HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # noqa: S104 # where one sends to


def check_push(url: str, info: ValidationInfo) -> str:
    """Return ``url`` if this version can push to it.

    Args:
        url: Where to.
        info: Its context is not None for what comes by API: messages then propose no
            kind that only the file may name.

    Raises:
        PydanticCustomError: It cannot; the message names what can, never a key.
    """
    try:
        kind_of(url, LISTED if info.context else KINDS)
    except ConfigError as exc:
        raise own_words(exc.problems[0]) from exc
    if len(url) > MOST_LETTERS:
        raise own_words(f"a push has at most {MOST_LETTERS} letters")
    if not url.isprintable():
        raise own_words("a push has no control characters")
    return url


def check_pushes(pushes: tuple[PushConfig, ...]) -> tuple[PushConfig, ...]:
    """Return ``pushes`` if no two go to the same place.

    Raises:
        PydanticCustomError: Two do.
    """
    if len({push.url for push in pushes}) < len(pushes):
        raise own_words("two pushes go to the same place")
    return pushes


def goes_to(url: str, listening: Listening) -> bool:
    """Say whether a push goes to where a stream of this very daemon is published to."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # no port: it is told elsewhere
        return False
    place = listening.place
    is_here = parts.hostname in {*_HERE, place.host}
    name = parts.path.rstrip("/").rpartition("/")[2]
    is_spoken = parts.scheme == place.protocol
    return is_here and is_spoken and port == place.port and name == listening.path


def circle_in(pushed: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the streams of a circle, its first at the end again; else none.

    Args:
        pushed: By the name of each stream, those that it is pushed to.
    """

    def follow(way: list[str]) -> list[str]:
        for name in pushed[way[-1]]:
            if name in way:
                return [*way[way.index(name) :], name]
            if circle := follow([*way, name]):
                return circle
        return []

    return next(filter(None, (follow([name]) for name in pushed)), [])


def with_keys(sent: list[Any], former: Sequence[str]) -> list[Any]:
    """Return what a caller sent, with the keys that it was not shown.

    Args:
        sent: URLs and tables, as JSON; what is none of them is left as it is.
        former: The URLs that it was shown, masked.

    Raises:
        ConfigError: A mask stands for none of ``former``, or for one of several.
    """
    wanted = [mask for mask in map(_url_of, sent) if mask and MASK in mask]
    found: list[Any] = []
    left = list(former)
    for entry in sent:
        url = _url_of(entry)
        if not url or MASK not in url:
            found.append(entry)
            continue
        alike = [known for known in left if mask_push(known) == url]
        if not alike:
            raise ConfigError([f"{MASK} stands for no key of this address"])
        if len(alike) > 1 and wanted.count(url) != len(alike):
            raise ConfigError([f"several pushes look like {url}; write the key out"])
        wanted.remove(url)
        left.remove(alike[0])
        isolated = {"url": alike[0]}
        found.append({**entry, **isolated} if isinstance(entry, dict) else alike[0])
    return found


def urls_of(sent: object) -> list[str]:
    """Return the URLs in what a caller sent as ``push``, as far as it has any."""
    entries = sent if isinstance(sent, list | tuple) else []
    return [url for url in map(_url_of, entries) if url]


def _url_of(entry: object) -> str:
    url = entry.get("url") if isinstance(entry, dict) else entry
    return url.strip() if isinstance(url, str) else ""


def written_push(push: PushConfig) -> str | dict[str, Any]:
    """Return a push as people write it: what has its default is left out."""
    fields = push.model_dump()
    defaults = {key: field.default for key, field in type(push).model_fields.items()}
    differing = {k: v for k, v in fields.items() if v != defaults[k]}
    return push.url if differing.keys() == {"url"} else differing
