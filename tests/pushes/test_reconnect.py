from __future__ import annotations

import errno

import pytest

from ooblexd.counters import PushState
from ooblexd.errors import PushError, PushRefusedError
from ooblexd.pushes.reconnect import retry_delay_s, state_after
from ooblexd.pushes.words import Complaint, explain

AT_ONCE = (
    "the server closed the connection at once; are the application and the key right?"
)
URL = "rtmp://example.net/live/topsecret"


def test_pauses_double_up_to_half_a_minute() -> None:
    lost = PushError("lost")
    pauses = [retry_delay_s(lost, attempt, jitter=0) for attempt in range(1, 8)]

    assert pauses == [1, 2, 4, 8, 16, 25, 25]
    assert retry_delay_s(lost, 1, jitter=1) == 1.2
    assert retry_delay_s(lost, 5000, jitter=1) == 30


def test_who_refuses_is_not_asked_often() -> None:
    assert retry_delay_s(PushRefusedError("no"), 1, jitter=0) == 25
    assert retry_delay_s(PushRefusedError("no"), 1, jitter=1) == 30
    assert state_after(PushRefusedError("no"), 1) is PushState.FAILED
    assert state_after(PushError("lost"), 1) is PushState.WAITING
    assert state_after(PushError("lost"), 5) is PushState.FAILED


@pytest.mark.parametrize(
    ("complaint", "open_s", "reason"),
    [
        (
            Complaint(
                "OSError",
                errno.EIO,
                "I/O",
                ["Failed to resolve hostname nowhere.example: Name or service"],
            ),
            0,
            "there is no host nowhere.example",
        ),
        (
            Complaint(
                "UnknownError", 1, "x", ["Server error: bad key topsecret for live"]
            ),
            0,
            "the server refuses it: bad key *** for live",
        ),
        (
            Complaint(
                "ConnectionRefusedError",
                errno.ECONNREFUSED,
                "Connection refused",
                ["Slave '[f=flv:ca_file=/etc/certificates.crt]rtmps://b': refused"],
            ),
            0,
            "connection refused",
        ),
        (
            Complaint("BrokenPipeError", errno.EPIPE, "Broken pipe", []),
            0,
            AT_ONCE,
        ),
        (
            Complaint("BrokenPipeError", errno.EPIPE, "Broken pipe", []),
            9,
            "the server closed the connection",
        ),
        (
            Complaint("HTTPUnauthorizedError", 0, "", []),
            0,
            "login refused (401)",
        ),
        (
            Complaint("ValueError", 0, f"cannot open {URL}", []),
            0,
            "it fails: cannot open rtmp://example.net/live/***",
        ),
    ],
)
def test_the_owner_is_told_why_without_the_key(
    complaint: Complaint, open_s: int, reason: str
) -> None:
    assert explain(complaint, URL, was_open=open_s > 0).reason == reason
