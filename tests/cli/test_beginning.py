"""Who is told of a bad file and who goes on with it."""

from __future__ import annotations

import pytest

from ooblexd.cli.beginning import wants_safe_mode

BY_SYSTEMD = {"SYSTEMD_EXEC_PID": "77", "INVOCATION_ID": "0f"}


@pytest.mark.parametrize(
    ("environ", "pid", "is_terminal", "expected"),
    [
        ({}, 77, True, False),
        ({}, 77, False, False),  # a script, which looks at the exit code
        (BY_SYSTEMD, 77, False, True),
        (BY_SYSTEMD, 78, False, False),  # a script that a service runs
        (BY_SYSTEMD, 77, True, False),
        ({"NOTIFY_SOCKET": "/run/systemd/notify"}, 77, False, True),
        ({"NOTIFY_SOCKET": "/run/systemd/notify"}, 77, True, False),
        ({}, 1, False, True),  # in a container
        ({}, 1, True, False),
    ],
)
def test_a_service_goes_on_and_whoever_can_read_is_told(
    environ: dict[str, str], pid: int, *, is_terminal: bool, expected: bool
) -> None:
    def asked(answer: bool | None) -> bool:  # noqa: FBT001 # as the command line has it
        return wants_safe_mode(answer, environ, pid, is_terminal=is_terminal)

    assert asked(None) is expected
    assert asked(True) is True
    assert asked(False) is False
