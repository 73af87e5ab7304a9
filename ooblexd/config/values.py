"""The kinds of values that a configuration is made of, and the limits of each.

A check that pydantic has (a range, a choice) is declared in `schema` and worded by
`problems`; here are those it lacks. They raise an error of the type `OWN_WORDS`, whose
message is shown as it is and therefore never holds a secret.
"""

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

OWN_WORDS = "ooblexd"

MAX_STREAMS = 32
"""Streams of one daemon: each costs two processes and three rings."""

MAX_INFERENCE_WORKERS = 16
"""Above it, workers only fight over the cores of any box we know."""

MAX_EFFECTS = 8
"""Effects of one chain."""

STREAM_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST_HEADER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def own_words(message: str) -> PydanticCustomError:
    """Return an error whose ``message`` reaches the reader word for word."""
    return PydanticCustomError(OWN_WORDS, "{message}", {"message": message})


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_stream_name(name: str) -> str:
    if STREAM_NAME.fullmatch(name) is None:
        raise own_words(
            "not a stream's name, allowed are 1 to 63 of a-z, 0-9, _ and -, "
            "the first a letter or digit"
        )
    return name


def _check_listen_host(host: str) -> str:
    if not is_loopback(host):
        raise own_words(
            f"{host!r}, allowed 127.0.0.1, ::1 or another loopback address: "
            "without access control nobody else may reach the daemon"
        )
    return host


def _check_allowed_host(host: str) -> str:
    if _HOST_HEADER.fullmatch(host) is None:
        raise own_words(
            f"{host!r}, allowed a host name or address, with or without :PORT"
        )
    return host.lower()


def _check_workers(value: object) -> int | str:
    number = None if isinstance(value, bool) else _whole(value)
    if value == "auto":
        return "auto"
    if number is None or not 1 <= number <= MAX_INFERENCE_WORKERS:
        raise own_words(f"{value!r}, allowed auto or 1 to {MAX_INFERENCE_WORKERS}")
    return number


def _whole(value: object) -> int | None:
    if isinstance(value, int):
        return value
    is_number = isinstance(value, str) and value.isascii() and value.isdigit()
    return int(str(value)) if is_number else None


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise own_words(f"{str(value).lower()}, must be a number")
    return value


def _number_in_text(value: object) -> object:
    """Read a whole number out of the environment, where all is text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return _refuse_bool(value)


def _refuse_number(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise own_words(f"{value!r}, must be true or false")
    return value


StreamName = Annotated[str, AfterValidator(_check_stream_name)]
"""What a stream is called, in URLs, metrics and the log."""

ListenHost = Annotated[str, AfterValidator(_check_listen_host)]
"""An address to listen on."""

AllowedHost = Annotated[str, AfterValidator(_check_allowed_host)]
"""What a request may carry as ``Host``, in small letters."""

Workers = Annotated[int | str, BeforeValidator(_check_workers)]
"""A number of inference workers, or ``auto``."""

Flag = Annotated[bool, BeforeValidator(_refuse_number)]
"""True or false; 0 and 1 are none."""

Whole = Annotated[int, BeforeValidator(_refuse_bool)]
"""A whole number; TOML's ``true`` is none."""

Rotation = Annotated[Literal[0, 90, 180, 270], BeforeValidator(_number_in_text)]
"""Degrees clockwise."""

Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_refuse_bool)]
"""A finite number; TOML's ``true`` is none."""
