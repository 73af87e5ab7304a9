"""A wall clock of its own for the daemon, which can be stepped; this machine's is not.

A few lines of C in front of the C library add seconds, read from a file, to what
``CLOCK_REALTIME`` says; the monotonic clock stays as it is, as when NTP steps a date.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *ahead_s;

__attribute__((constructor)) static void find_clock(void)
{
    int fd = open(getenv("STEPPED_BY"), O_RDONLY | O_CLOEXEC);
    void *page = mmap(0, sizeof *ahead_s, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    ahead_s = page == MAP_FAILED ? 0 : page;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && ahead_s && clock == CLOCK_REALTIME)
        now->tv_sec += *ahead_s;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


class SteppedClock:
    """The wall clock of whatever runs in its `environment`.

    Args:
        folder: An empty one.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("gcc") is None:
            pytest.skip("apt install gcc libc6-dev")
        self._step = folder / "step"
        self.step(0)
        source, shim = folder / "wall_clock.c", folder / "wall_clock.so"
        source.write_text(_SHIM)
        command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(shim), str(source)]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(shim), "STEPPED_BY": str(self._step)}

    def step(self, seconds: int) -> None:
        """Have the clock be ``seconds`` ahead of this machine's."""
        with self._step.open("r+b" if self._step.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))
