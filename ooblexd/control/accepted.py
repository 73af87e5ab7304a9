"""Which types of body a path takes, told to who asks or has sent another one.

``Accept-Post`` (RFC 9725, 4.2, wants it of WHIP) and ``Accept-Patch`` (RFC 5789) stand
in answers to ``OPTIONS``; where a body was refused for its type (415), ``Accept``
(RFC 9110, 15.5.16) says which one would do.
"""

from __future__ import annotations

from ooblexd.control.sessions import FRAGMENT, SDP
from ooblexd.control.upload import TYPES

_JSON = "application/json"

ACCEPTED = {
    "/api/v1/config": {"PATCH": _JSON},
    "/api/v1/probe": {"POST": _JSON},
    "/api/v1/streams": {"POST": _JSON},
    "/api/v1/streams/{name}": {"PATCH": _JSON},
    "/api/v1/streams/{name}/effects": {"PUT": _JSON},
    "/streams/{name}/frame": {"POST": ", ".join(TYPES)},
    "/streams/{name}/whep": {"POST": SDP},
    "/streams/{name}/whep/{peer}": {"PATCH": FRAGMENT},
    "/streams/{name}/whip": {"POST": SDP},
    "/streams/{name}/whip/": {"POST": SDP},
    "/streams/{name}/whip/{peer}": {"PATCH": FRAGMENT},
}
"""By route template and method."""

_HEADERS = {"POST": "Accept-Post", "PATCH": "Accept-Patch"}


def accepting_headers(path: str, method: str, status: int) -> dict[str, str]:
    """Return what an answer says of the bodies that would be taken.

    Args:
        path: The route template.
        method: Of the request.
        status: Of the answer.
    """
    types = ACCEPTED.get(path, {})
    if status == 415 and method in types:  # noqa: PLR2004 # unsupported media type
        return {"Accept": types[method]}
    if method != "OPTIONS":
        return {}
    return {_HEADERS[of]: named for of, named in types.items() if of in _HEADERS}
