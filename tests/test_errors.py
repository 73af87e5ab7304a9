"""What errors say and carry."""

from __future__ import annotations

import pytest

from ooblexd.errors import (
    ConfigError,
    FrameTooLargeError,
    OoblexdError,
    SharedMemoryFullError,
    SourceRefusedError,
    SourceUnavailableError,
)


def test_too_little_shared_memory_is_told_with_both_numbers() -> None:
    error = SharedMemoryFullError(needed_bytes=12 << 20, free_bytes=3 << 19)

    assert str(error) == "shared memory: 12.0 MiB needed, 1.5 MiB free in /dev/shm"
    assert (error.needed_bytes, error.free_bytes) == (12 << 20, 3 << 19)


def test_a_frame_too_large_is_told_with_both_sizes() -> None:
    error = FrameTooLargeError(frame_bytes=6_220_800, slot_bytes=4_194_304)

    assert str(error) == "frame of 6220800 bytes, slot holds 4194304"


def test_a_configuration_tells_each_problem_on_its_line() -> None:
    error = ConfigError(["http.port: 99999", "log.level: 'loud'"])

    assert str(error).splitlines() == list(error.problems)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ConfigError([]), ValueError),
        (SourceUnavailableError("no route to host"), ConnectionError),
        (SourceRefusedError("wrong password"), PermissionError),
        (SharedMemoryFullError(2, 1), MemoryError),
        (FrameTooLargeError(2, 1), ValueError),
    ],
)
def test_an_error_is_also_the_builtin_that_fits(
    error: OoblexdError, builtin: type[Exception]
) -> None:
    assert isinstance(error, builtin)


@pytest.mark.parametrize("kind", [SourceUnavailableError, SourceRefusedError])
def test_a_source_gives_its_reason_word_for_word(
    kind: type[SourceUnavailableError | SourceRefusedError],
) -> None:
    assert str(kind("no route to host")) == "no route to host"
    assert kind("no route to host").reason == "no route to host"
