"""How programs ask for a picture: in our words, in go2rtc's, in Frigate's.

Clients of theirs send what their servers understand: Frigate's integration for Home
Assistant asks for ``latest.jpg?h=277``, go2rtc's take ``width``, ``rotate`` and
``cache``. What we do not know of that is passed over, or they would show nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ooblexd.control.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request

_NOT_YET = ("height",)


class Dialect(NamedTuple):
    """How a program names a stream, and what else it may say.

    Attributes:
        query_key: That names the stream; empty where the path does.
        is_lenient: What is unknown in the query is passed over.
    """

    query_key: str = ""
    is_lenient: bool = False

    def name_in(self, request: Request) -> str:
        """Return the name of the stream that is asked for.

        Raises:
            ProblemError: 422 where the query lacks it.
        """
        if not self.query_key:
            name: str = request.path_params["name"]
            return name
        if self.query_key in request.query_params:
            return request.query_params[self.query_key]
        detail = f"{self.query_key}=NAME says which stream"
        error = {"key": self.query_key, "detail": "missing"}
        raise ProblemError(422, detail, errors=[error])

    def check_query(self, request: HTTPConnection, known: tuple[str, ...] = ()) -> None:
        """Refuse parameters that would have no effect, but in a foreign dialect.

        Raises:
            ProblemError: 422.
        """
        unknown = [key for key in request.query_params if key not in known]
        if self.is_lenient or not unknown:
            return
        errors = [
            {
                "key": key,
                "detail": "not supported yet"
                if key in _NOT_YET
                else "unknown parameter",
            }
            for key in unknown
        ]
        detail = "; ".join(f"{error['key']}: {error['detail']}" for error in errors)
        raise ProblemError(422, detail, errors=errors)


OURS = Dialect()
GO2RTC = Dialect("src", is_lenient=True)
FRIGATE = Dialect(is_lenient=True)
