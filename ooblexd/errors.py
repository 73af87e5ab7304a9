"""All exceptions of ooblexd, as one tree.

A leaf exists where a caller would act differently; leaves also inherit the built-in
that fits. The data of an error are its attributes, and its message is made from them.

::

    OoblexdError
    ├── ConfigError                  a configuration that cannot be used (ValueError)
    │   ├── ConfigFileError          its file cannot be changed; nothing was written
    │   ├── OverriddenError          an environment variable sets it: change that
    │   ├── SourceForbiddenError     only the file may name such a source, or push
    │   ├── StreamExistsError        the name is taken
    │   └── UnknownStreamError       there is no such stream (LookupError)
    ├── SourceError                  a source cannot be read; ``reason`` says why
    │   ├── SourceUnavailableError   try again soon (ConnectionError)
    │   ├── SourceRefusedError       the login was refused: wait (PermissionError)
    │   ├── SourceWaitingError       nobody sends now, which is no fault (TimeoutError)
    │   └── BadPictureError          one picture cannot be shown (ValueError)
    ├── RingError                    the memory of a ring is not what it should be
    │   ├── SharedMemoryFullError    too little shared memory (MemoryError)
    │   └── FrameTooLargeError       a frame larger than its slot (ValueError)
    ├── EngineError                  a model cannot be loaded or run
    ├── EffectError                  an effect cannot be built, or is too slow
    │   └── EffectRestsError         it is not called: it has ended its worker
    ├── EncoderError                 pictures cannot be encoded as viewers want them
    ├── MuxerError                   pictures cannot be put into a container
    ├── PublisherError               nobody publishes like that (ValueError)
    ├── PushError                    a push does not get through; tried again soon
    │   └── PushRefusedError         the key or the login was refused: wait
    ├── OfferError                   a WebRTC offer cannot be answered (ValueError)
    ├── ThreadHungError              a thread of a worker does not come round
    ├── WorkerSpentError             its process has no memory or descriptor left
    └── SupervisorError              the supervisor cannot do what was asked
        ├── CannotStartError         the daemon cannot start: exit code 3
        ├── ChangeRefusedError       a change is not possible now
        ├── PortUnusableError        nobody can publish there (OSError)
        ├── ControlSocketError       no control socket: ``ooblexd status`` sees nothing
        └── NoDaemonError            no running daemon answers (ConnectionError)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIB = 1024 * 1024


class OoblexdError(Exception):
    """The root of every error that ooblexd raises on purpose."""


class ConfigError(OoblexdError, ValueError):
    """A configuration that cannot be used.

    Attributes:
        problems: One sentence each, with key path, value found and values allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ConfigFileError(ConfigError):
    """The file cannot be changed; it is as it was.

    Attributes:
        path: The file.
        reason: What stands against it: no room, no permission, edited into something
            that does not parse.
        causes: All that is wrong in it, where that is why; each with its place.
    """

    def __init__(self, path: str, reason: str, causes: Sequence[str] = ()) -> None:
        self.path = path
        self.reason = reason
        self.causes = tuple(causes)
        super().__init__([f"{path}: {reason}"])


class OverriddenError(ConfigError):
    """A value comes from the environment and can only be changed there.

    Attributes:
        key: Its key path.
        variable: The environment variable that sets it.
    """

    def __init__(self, key: str, variable: str) -> None:
        self.key = key
        self.variable = variable
        super().__init__([f"{key}: set by the environment variable {variable}"])


class SourceForbiddenError(ConfigError):
    """A source or push that reaches into this machine, and is not in its file.

    Attributes:
        key: Its key path.
    """

    def __init__(self, allowed: str, key: str = "source", what: str = "source") -> None:
        self.key = key
        refusal = f"only the configuration file may name such a {what}"
        super().__init__([f"{key}: {refusal} (allowed here: {allowed})"])


class StreamExistsError(ConfigError):
    """There is already a stream of that name.

    Attributes:
        stream: The name.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        super().__init__([f"streams.{stream}: there is already a stream of that name"])


class UnknownStreamError(ConfigError, LookupError):
    """There is no stream of that name.

    Attributes:
        stream: The name.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        super().__init__([f"streams.{stream}: there is no such stream"])


class SourceError(OoblexdError):
    """A source cannot be read.

    Attributes:
        reason: Why, in words for the owner of the camera; never holds a credential.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SourceUnavailableError(SourceError, ConnectionError):
    """The source does not answer or stopped delivering; it may come back any time."""


class SourceRefusedError(SourceError, PermissionError):
    """The source refused the login; cameras lock accounts, so wait before retrying."""


class SourceWaitingError(SourceError, TimeoutError):
    """Nobody sends to the source at present, and nobody has to."""


class BadPictureError(SourceError, ValueError):
    """One picture of a source cannot be shown; the next one may be good."""


class RingError(OoblexdError):
    """The memory of a ring is not what its reader or writer was told."""


class SharedMemoryFullError(RingError, MemoryError):
    """Shared memory cannot hold a new segment.

    Attributes:
        needed_bytes: The size of the segment.
        free_bytes: What the file system had left.
    """

    def __init__(self, needed_bytes: int, free_bytes: int) -> None:
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes
        super().__init__(
            f"shared memory: {needed_bytes / _MIB:.1f} MiB needed, "
            f"{free_bytes / _MIB:.1f} MiB free in /dev/shm"
        )


class FrameTooLargeError(RingError, ValueError):
    """A frame does not fit into a slot of its ring.

    Attributes:
        frame_bytes: The size of the frame with its header.
        slot_bytes: What one slot holds.
    """

    def __init__(self, frame_bytes: int, slot_bytes: int) -> None:
        self.frame_bytes = frame_bytes
        self.slot_bytes = slot_bytes
        super().__init__(f"frame of {frame_bytes} bytes, slot holds {slot_bytes}")


class EngineError(OoblexdError):
    """A model cannot be loaded or run."""


class EffectError(OoblexdError):
    """An effect cannot be built, or is too slow.

    Attributes:
        effect: Its name.
        reason: Why.
    """

    def __init__(self, effect: str, reason: str) -> None:
        self.effect = effect
        self.reason = reason
        super().__init__(f"{effect}: {reason}")


class EffectRestsError(EffectError):
    """An effect is not called for a while, since its worker has ended in it.

    Attributes:
        ends: How often, in a row.
        rest_s: For how long.
    """

    def __init__(self, effect: str, ends: int, rest_s: int) -> None:
        self.ends = ends
        self.rest_s = rest_s
        super().__init__(
            effect,
            f"made its worker hang or crash {ends} times, so it is switched off "
            f"and tried again after {rest_s} s",
        )


class EncoderError(OoblexdError):
    """No encoder can be opened, or it has failed; the message says which and why."""


class PublisherError(OoblexdError, ValueError):
    """What a publisher says cannot be understood, or is more than any would."""


class PushError(OoblexdError):
    """Pictures do not reach where they are pushed to.

    Attributes:
        reason: Why, in words for the owner of the stream; never holds a key.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class PushRefusedError(PushError):
    """The other side does not want them as they are; asking often changes nothing."""


class MuxerError(OoblexdError):
    """Pictures cannot be put into a container; the message says which and why."""


class OfferError(OoblexdError, ValueError):
    """What a WebRTC peer offers cannot be read, or has nothing in common with us."""


class ThreadHungError(OoblexdError):
    """A thread does not come round, and only the end of its process ends it.

    Attributes:
        thread: Its name.
    """

    def __init__(self, thread: str) -> None:
        self.thread = thread
        super().__init__(f"the {thread} thread does not come round")


class WorkerSpentError(OoblexdError):
    """The process has used up what only its end gives back.

    Attributes:
        what: Memory or descriptors.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"no {what} left in this process")


class SupervisorError(OoblexdError):
    """The supervisor cannot do what was asked."""


class CannotStartError(SupervisorError):
    """The daemon cannot start; the message says why and what to do."""


class ChangeRefusedError(SupervisorError):
    """A change is not possible now; the message says why, and nothing has changed."""


class PortUnusableError(SupervisorError, OSError):
    """A port on which others would publish cannot be listened on; it says whose."""


class ControlSocketError(SupervisorError):
    """The control socket cannot be opened; the daemon runs without one.

    Attributes:
        path: Where it was to be.
        reason: What stands against it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"no control socket at {path}: {reason}")


class NoDaemonError(SupervisorError, ConnectionError):
    """No running daemon answers.

    Attributes:
        reason: Why not.
        remedy: What to do.
        is_there: One runs, but does not answer, or not us.
    """

    def __init__(self, reason: str, remedy: str, *, is_there: bool = True) -> None:
        self.reason = reason
        self.remedy = remedy
        self.is_there = is_there
        super().__init__(f"{reason}; {remedy}")
