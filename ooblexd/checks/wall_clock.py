"""The wall clock, which people, their browsers and certificates see."""

from __future__ import annotations

import ctypes
import time
from typing import NamedTuple

from ooblexd.checks import Finding, ok, warn

_BUILT_UNIX_S = 1_700_000_000  # no clock that is right shows less
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_SET = "sudo timedatectl set-ntp true, or apt install chrony"


def check_date(now_unix_s: float) -> Finding:
    """Judge whether the date was set at all."""
    if now_unix_s >= _BUILT_UNIX_S:
        return ok("clock", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_unix_s)))
    year = time.gmtime(now_unix_s).tm_year
    return warn("clock", f"the date is not set, it is the year {year}", _SET)


class Discipline(NamedTuple):
    """What the kernel knows of its clock.

    Attributes:
        is_synchronised: Somebody keeps it right.
        error_us: At most so far off, as that one estimates.
    """

    is_synchronised: bool
    error_us: int


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def read_discipline() -> Discipline | None:
    """Ask the kernel, by adjtimex(2); None where it does not answer."""
    timex = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
        return None
    return Discipline(not timex.status & _UNSYNCHRONISED, timex.esterror)


def check_clock(now_unix_s: float, discipline: Discipline | None) -> Finding:
    """Judge the date, and whether somebody keeps the clock right."""
    date = check_date(now_unix_s)
    if date.remedy:
        return date
    if discipline is None:
        return ok("clock", f"{date.text}; whether it is kept right is not known")
    if not discipline.is_synchronised:
        return warn("clock", f"{date.text}, not synchronised: it drifts", _SET)
    return ok("clock", f"{date.text}, synchronised")
