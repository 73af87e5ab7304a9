"""The edge of the control API: a stream, or the whole configuration, as JSON.

What goes out has no secret in it; ``***`` that comes back in its place leaves the
secret as it is, but only for the address that it was meant for: a secret must not
follow a caller's new host name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ooblexd.config.problems import Problem, problems_of
from ooblexd.config.push import urls_of, with_keys
from ooblexd.config.schema import Document, StreamConfig
from ooblexd.errors import ConfigError, SourceForbiddenError
from ooblexd.pushes import url as pushes
from ooblexd.redaction import MASK, mask_secrets, mask_url
from ooblexd.sources.url import BY_API, forms_of, is_file_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LOGIN = re.compile(r"[^:/]+://\S*@")
_MASKED_LOGIN = re.compile(rf"[^:/]+://{re.escape(MASK)}@")
_CREDENTIALS = ("password", "secret")
_PAIR = re.compile(r"([?&;][^=&;#]*=)([^&;#]*)")


def parse_stream(name: str, fields: Mapping[str, Any]) -> StreamConfig:
    """Return the stream that a table, from JSON, describes.

    Raises:
        ConfigError: Problems with key paths, such as ``streams.door.fps: unknown key``.
    """
    try:
        document = Document.model_validate(
            {"streams": {name: dict(fields)}}, context=BY_API
        )
    except ValidationError as exc:
        problems = [str(problem) for problem in problems_of(exc)]
        raise ConfigError(problems) from None  # the chain would show values
    return document.streams[name]


def table_of(stream: StreamConfig) -> dict[str, Any]:
    """Return every key of a stream with its secrets, effects as complete tables."""
    table = stream.model_dump(exclude={"effects"})
    table["effects"] = [
        {
            "effect": effect.effect,
            "mode": effect.mode,
            "on_failure": effect.on_failure,
            "deadline_ms": effect.deadline_ms,
            **effect.parameters,
        }
        for effect in stream.effects
    ]
    table["push"] = [push.model_dump() for push in stream.push]
    return table


def public(stream: StreamConfig) -> dict[str, Any]:
    """Return what may be shown of a stream: every key, secrets masked."""
    return _masked(table_of(stream))


def merge_patch(name: str, current: StreamConfig, patch: object) -> StreamConfig:
    """Return ``current`` with an API caller's merge patch (RFC 7396) applied.

    Args:
        name: Of the stream, for the messages.
        current: As the daemon runs it.
        patch: From JSON; null sets a key back to its default.

    Raises:
        ConfigError: The patch is no object, or what it makes is no valid stream.
        SourceForbiddenError: It sets a source that only the file may name.
    """
    if not isinstance(patch, dict):
        raise ConfigError([str(Problem(("streams", name), "a patch must be a table"))])
    table = apply_merge_patch(table_of(current), patch)
    _keep_publish_key(table, current)
    if isinstance(table.get("source"), str):
        table["source"] = _with_secret(name, table["source"], current.source)
        if table["source"] != current.source:
            api_may_set_source(table["source"])
    _take_pushes(name, table, [push.url for push in current.push])
    return parse_stream(name, table)


def document_table(document: Document) -> dict[str, Any]:
    """Return every key of a configuration with its secrets, defaults included."""
    table = document.model_dump(mode="json", exclude={"streams"})
    streams = {name: table_of(stream) for name, stream in document.streams.items()}
    return {**table, "streams": streams}


def public_document(document: Document) -> dict[str, Any]:
    """Return what may be shown of a configuration: every key, secrets masked."""
    table = document_table(document)
    shown = {name: _masked(stream) for name, stream in table["streams"].items()}
    for server in table["webrtc"]["ice_servers"]:
        server.update({key: MASK for key in _CREDENTIALS if server[key]})
    return {**table, "streams": shown}


def patch_document(current: Document, patch: Mapping[str, Any]) -> Document:
    """Return ``current`` with an API caller's merge patch (RFC 7396) applied.

    Args:
        current: What the file says, the environment over it.
        patch: From JSON; null sets a key back to its default, and removes a stream.

    Raises:
        ConfigError: What it makes is no valid configuration; problems with key paths.
        SourceForbiddenError: It sets a source that only the file may name.
    """
    table = apply_merge_patch(document_table(current), patch)
    streams = table.get("streams")
    for name, stream in streams.items() if isinstance(streams, dict) else ():
        known = current.streams.get(name)
        former = known.source if known else ""
        if not isinstance(stream, dict):
            continue  # the schema complains
        if known is not None:
            _keep_publish_key(stream, known)
        urls = [push.url for push in known.push] if known else []
        _take_pushes(name, stream, urls, f"streams.{name}.push")
        source = stream.get("source")
        if not isinstance(source, str):
            continue  # likewise
        stream["source"] = _with_secret(name, source, former)
        if stream["source"] != former:
            api_may_set_source(source, f"streams.{name}.source")
    _fill_in_credentials(table.get("webrtc"), current)
    try:
        return Document.model_validate(table, context=BY_API)
    except ValidationError as exc:
        problems = [str(problem) for problem in problems_of(exc)]
        raise ConfigError(problems) from None  # the chain would show values


def _fill_in_credentials(webrtc: Any, current: Document) -> None:
    """Put what was masked back into the servers of a patched ``[webrtc]``.

    Raises:
        ConfigError: A mask stands where nothing was masked: for that server, by that
            user, there is no such secret.
    """
    servers = webrtc.get("ice_servers") if isinstance(webrtc, dict) else None
    known = {
        (server.urls, server.username): server for server in current.webrtc.ice_servers
    }
    for place, server in enumerate(servers if isinstance(servers, list) else ()):
        for key in _CREDENTIALS if isinstance(server, dict) else ():
            if server.get(key) != MASK:
                continue
            urls = server.get("urls")
            listed = (urls,) if isinstance(urls, str) else tuple(urls or ())
            former = known.get((listed, server.get("username", "")))
            server[key] = getattr(former, key, "")
            if not server[key]:
                path = ("webrtc", "ice_servers", str(place), key)
                problem = f"{MASK} stands for no secret of this server; write it out"
                raise ConfigError([str(Problem(path, problem))])


def apply_merge_patch(target: Any, patch: Any) -> Any:
    """Return ``target`` patched by the algorithm of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_merge_patch(result.get(key), value)
    return result


def api_may_set_source(url: str, key: str = "source") -> None:
    """Refuse a source that reaches into this machine.

    Args:
        url: The source.
        key: Where it stands, for the message.

    Raises:
        SourceForbiddenError: Only the configuration file may name it.
    """
    if is_file_only(url.strip()):
        raise SourceForbiddenError(forms_of(BY_API), key)


def _keep_publish_key(table: dict[str, Any], current: StreamConfig) -> None:
    if current.publish_key and table.get("publish_key") == MASK:
        table["publish_key"] = current.publish_key


def api_may_push(urls: Iterable[str], key: str = "push") -> None:
    """Refuse pushes that reach into this machine.

    Args:
        urls: Where to.
        key: Where they stand, for the message.

    Raises:
        SourceForbiddenError: Only the configuration file may name one of them.
    """
    if any(pushes.is_file_only(url) for url in urls):
        raise SourceForbiddenError(pushes.forms_of(pushes.BY_API), key, "push")


def _take_pushes(
    name: str, table: dict[str, Any], former: list[str], key: str = "push"
) -> None:
    """Put the keys of pushes that stay in their places, and look at those that come."""
    if not isinstance(table.get("push"), list):
        return  # the schema complains
    try:
        table["push"] = with_keys(table["push"], former)
    except ConfigError as exc:
        problem = Problem(("streams", name, "push"), exc.problems[0])
        raise ConfigError([str(problem)]) from None
    api_may_push(set(urls_of(table["push"])) - set(former), key)


def _masked(table: dict[str, Any]) -> dict[str, Any]:
    push = [{**one, "url": pushes.mask_push(one["url"])} for one in table["push"]]
    return {**mask_secrets(table), "push": push}


def _with_secret(name: str, sent: str, current: str) -> str:
    if MASK not in sent:
        return sent
    if sent == mask_url(current):
        return current
    url = _filled(sent, current) if _place(sent) == _place(current) else sent
    if MASK not in url:
        return url
    problem = f"{MASK} stands for no secret of this address; write it out"
    raise ConfigError([str(Problem(("streams", name, "source"), problem))])


def _place(url: str) -> tuple[str, str]:
    """Return scheme and authority without login, as far as `mask_url` sees a login."""
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return scheme.lower(), authority.lower()


def _filled(sent: str, current: str) -> str:
    """Return ``sent`` with each mask replaced by what ``current`` has in its place."""
    login = _LOGIN.match(current)
    if login is not None:
        sent = _MASKED_LOGIN.sub(lambda _: login[0], sent)
    secrets = {pair[1]: pair[0] for pair in _PAIR.finditer(current)}
    return _PAIR.sub(
        lambda pair: secrets.get(pair[1], pair[0]) if pair[2] == MASK else pair[0],
        sent,
    )
