"""What a command answers to whoever started it."""

import enum


class ExitCode(enum.IntEnum):
    """The exit codes of every command."""

    DONE = 0
    FAILED = 1  # what was asked for is not so: a check, a probe
    USAGE = 2  # bad usage or configuration
    CANNOT_START = 3  # the port is in use, say: another try may do better
