"""AMF0: the values of RTMP's commands, as much of it as publishers send.

The format is Adobe's "Action Message Format, AMF 0" of 2007. The libraries that read it
also build objects of the classes that it names; none of that is wanted here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

from ooblexd.errors import PublisherError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Value: TypeAlias = "float | bool | str | dict[str, Value] | list[Value] | None"
"""What stands in a command; objects are by their keys."""

Said: TypeAlias = "float | str | dict[str, Said] | None"
"""What we say ourselves."""

_NUMBER, _BOOLEAN, _STRING, _OBJECT = 0, 1, 2, 3
_NULL, _UNDEFINED, _MAP, _END, _ARRAY, _DATE, _LONG = 5, 6, 8, 9, 10, 11, 12
_DOUBLE = struct.Struct(">d")
_DEEPEST = 8


def read_values(data: bytes) -> list[Value]:
    """Return the values that stand one after another in ``data``.

    Raises:
        PublisherError: It is not AMF0, or something that no publisher sends.
    """
    at, values = 0, []
    try:
        while at < len(data):
            value, at = _read(data, at, 0)
            values.append(value)
    except (IndexError, struct.error, UnicodeDecodeError) as exc:
        raise PublisherError("a command that is no AMF0") from exc
    return values


def _read(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > _DEEPEST:
        raise PublisherError("a command that is nested too deeply")
    kind, at = data[at], at + 1
    read = _READERS.get(kind)
    if read is None:
        raise PublisherError(f"a command with a value of type {kind}")
    return read(data, at, depth)


def _read_text(data: bytes, at: int, length_bytes: int) -> tuple[str, int]:
    start = at + length_bytes
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data):
        raise IndexError(end)
    return data[start:end].decode(), end


def _read_object(data: bytes, at: int, depth: int) -> tuple[dict[str, Value], int]:
    found: dict[str, Value] = {}
    while True:
        key, at = _read_text(data, at, 2)
        if not key and data[at] == _END:
            return found, at + 1
        found[key], at = _read(data, at, depth + 1)


def _read_array(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    count, at = int.from_bytes(data[at : at + 4], "big"), at + 4
    found: list[Value] = []
    while len(found) < count:
        value, at = _read(data, at, depth + 1)
        found.append(value)
    return found, at


_READERS: dict[int, Callable[[bytes, int, int], tuple[Value, int]]] = {
    _NUMBER: lambda data, at, _: (_DOUBLE.unpack_from(data, at)[0], at + 8),
    _BOOLEAN: lambda data, at, _: (bool(data[at]), at + 1),
    _STRING: lambda data, at, _: _read_text(data, at, 2),
    _OBJECT: _read_object,
    _NULL: lambda _data, at, _depth: (None, at),
    _UNDEFINED: lambda _data, at, _depth: (None, at),
    _MAP: lambda data, at, depth: _read_object(data, at + 4, depth),  # a count, no more
    _ARRAY: _read_array,
    _DATE: lambda data, at, _: (_DOUBLE.unpack_from(data, at)[0], at + 10),
    _LONG: lambda data, at, _: _read_text(data, at, 4),
}


def format_values(values: Sequence[Said]) -> bytes:
    """Return ``values`` one after another."""
    return b"".join(_format(value) for value in values)


def _format(value: Said) -> bytes:
    if value is None:
        return bytes([_NULL])
    if isinstance(value, str):
        return bytes([_STRING]) + _format_text(value)
    if isinstance(value, (int, float)):
        return bytes([_NUMBER]) + _DOUBLE.pack(value)
    pairs = (_format_text(key) + _format(part) for key, part in value.items())
    return bytes([_OBJECT]) + b"".join(pairs) + b"\0\0" + bytes([_END])


def _format_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
