"""The pictures of the last seconds, in parts and segments: pure.

A segment begins with a keyframe and has the number after that of the one before. Where
the timeline breaks (another size, the encoder was replaced, something was withdrawn) a
new *discontinuity* begins, with an init segment of its own; it is named after its first
segment. Its sequence number must be small: hls.js 1.7 has an array of so many places
and walks through it at each reload (28 million of them: for three seconds).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LISTED_SEGMENTS = 7  # complete ones: more than players want to keep back
KEPT_SEGMENTS = 10  # who has read a playlist has a while to fetch what it lists
KEPT_BYTES = 32 << 20
KEPT_INITS = 3  # at least, whatever is withdrawn
LISTED_GAPS = 2
SEQUENCES = 1 << 13  # of discontinuities that a life begins with
ANY_REVISION = 1 << 62  # of what shows nothing that an effect protects, or is silent


class Fragment(NamedTuple):
    """One picture in its container, or a packet of sound.

    Attributes:
        data: The bytes.
        duration_ns: How long it is shown.
        revision: What it has passed.
        is_keyframe: Whether it can be decoded by itself.
    """

    data: bytes
    duration_ns: int
    revision: int
    is_keyframe: bool


@dataclass(frozen=True)
class Part:
    """A few pictures, or packets of sound, in a row, which are fetched as one.

    Attributes:
        data: The bytes.
        duration_ns: Of all of them.
        revision: What each of them has passed at least.
        is_independent: Whether one can begin here.
        pictures: How many.
    """

    data: bytes
    duration_ns: int
    revision: int
    is_independent: bool
    pictures: int


@dataclass
class Segment:
    """About a second, from a keyframe on.

    Attributes:
        number: HLS's media sequence number.
        discontinuity: To which it belongs: the number of the first segment of that.
        at_us: When its first picture was captured, in unix µs.
        parts: Those that are finished.
        is_complete: Whether nothing more comes.
    """

    number: int
    discontinuity: int
    at_us: int
    parts: list[Part] = field(default_factory=list)
    is_complete: bool = False

    @property
    def duration_ns(self) -> int:
        """Of its finished parts."""
        return sum(part.duration_ns for part in self.parts)

    @property
    def size_bytes(self) -> int:
        """Of its finished parts."""
        return sum(len(part.data) for part in self.parts)

    @property
    def revision(self) -> int:
        """What each of its pictures has passed at least."""
        return min((part.revision for part in self.parts), default=ANY_REVISION)


class Gap(NamedTuple):
    """What is left of a segment that was withdrawn.

    Attributes:
        number: Its media sequence number.
        discontinuity: To which it belonged.
        at_us: When its first picture was captured, in unix µs.
        duration_ns: How long it was.
    """

    number: int
    discontinuity: int
    at_us: int
    duration_ns: int


@dataclass(frozen=True)
class Discontinuity:
    """What all segments between two breaks have in common.

    Attributes:
        number: Of its first segment.
        sequence: HLS's discontinuity sequence number.
        width: Of the picture, in pixels; 0 of sound.
        height: Likewise.
        codecs: How its encoding is called (RFC 6381).
        init: The init segment.
    """

    number: int
    sequence: int
    width: int
    height: int
    codecs: str
    init: bytes


class Timeline:
    """What there is of one stream.

    Args:
        first: The first number of a segment. Players that have seen a former life of
            the stream must not meet a number again.

    Attributes:
        next_number: Of the segment after the newest.
    """

    def __init__(self, first: int) -> None:
        self.next_number = first
        self._newest: Discontinuity | None = None
        self._next_sequence = first % SEQUENCES
        self._segments: deque[Segment] = deque()
        self._discontinuities: dict[int, Discontinuity] = {}
        self._fragments: list[Fragment] = []  # of the part that grows
        self._gaps: list[Gap] = []

    # To write.

    def begin(
        self,
        init: bytes,
        codecs: str,
        width: int,
        height: int,
        sequence: int | None = None,
    ) -> Discontinuity:
        """Begin a new discontinuity; what was before it is complete.

        Args:
            init: The init segment.
            codecs: How the encoding is called (RFC 6381).
            width: Of the picture, in pixels; 0 of sound.
            height: Likewise.
            sequence: Of the discontinuity that another timeline has at this time; its
                own count where there is no other.
        """
        self.end_segment()
        sequence = self._next_sequence if sequence is None else sequence
        self._newest = Discontinuity(
            self.next_number, sequence, width, height, codecs, init
        )
        self._next_sequence = sequence + 1
        self._discontinuities[self._newest.number] = self._newest
        return self._newest

    def begin_segment(self, at_us: int) -> None:
        """Begin a segment, whose first picture comes next."""
        self.end_segment()
        assert self._newest is not None, "a discontinuity has begun"
        segment = Segment(self.next_number, self._newest.number, at_us)
        self.next_number += 1
        self._segments.append(segment)
        self._forget_old()

    def add(self, fragment: Fragment) -> None:
        """Take the next picture of the newest segment."""
        assert self.growing is not None, "a segment has begun"
        self._fragments.append(fragment)

    def end_part(self) -> None:
        """Have all pictures since the last part be one."""
        fragments, self._fragments = self._fragments, []
        if fragments and self.growing is not None:
            self.growing.parts.append(_part_of(fragments))

    def end_segment(self) -> None:
        """Have the newest segment be complete; one without pictures is none."""
        self.end_part()
        growing = self.growing
        if growing is None:
            return
        growing.is_complete = True
        if not growing.parts:
            self._segments.pop()
            self.next_number -= 1  # nobody has been told of it

    def withdraw_below(self, revision: int) -> bool:
        """Take out what holds pictures that have not passed ``revision``.

        Returns:
            Whether the segment that grows was among it: nothing can be added to it.
        """
        growing = self.growing
        pending = min((f.revision for f in self._fragments), default=ANY_REVISION)
        bad = [s.number for s in self._segments if s.revision < revision]
        if pending < revision:
            bad.append(self.next_number - 1)
        while bad and self._segments and self._segments[0].number <= bad[-1]:
            self._leave_gap(self._segments.popleft())
        was_growing = growing is not None and self.growing is None
        if was_growing:
            self._fragments = []
        if bad:
            self._forget_discontinuities()
        return was_growing

    def _leave_gap(self, segment: Segment) -> None:
        if not segment.parts:
            self.next_number -= 1  # nobody has been told of it
            return
        gap = Gap(
            segment.number, segment.discontinuity, segment.at_us, segment.duration_ns
        )
        self._gaps = [*self._gaps, gap][-LISTED_GAPS:]

    def _forget_old(self) -> None:
        kept_bytes = sum(segment.size_bytes for segment in self._segments)
        while len(self._segments) > KEPT_SEGMENTS + 1 or (
            kept_bytes > KEPT_BYTES and len(self._segments) > 1
        ):
            kept_bytes -= self._segments.popleft().size_bytes
        self._forget_discontinuities()

    def _forget_discontinuities(self) -> None:
        in_use = {segment.discontinuity for segment in self._segments}
        # Init segments show nothing, and ffmpeg gives up a stream for want of one that
        # it was told of a moment ago.
        in_use.update(sorted(self._discontinuities)[-KEPT_INITS:])
        for number in self._discontinuities.keys() - in_use:
            del self._discontinuities[number]

    # To read.

    @property
    def growing(self) -> Segment | None:
        """The newest segment while it is not complete."""
        newest = self._segments[-1] if self._segments else None
        return newest if newest is not None and not newest.is_complete else None

    @property
    def growing_ns(self) -> int:
        """How long that segment is so far, unfinished parts included."""
        growing = self.growing
        return (growing.duration_ns if growing else 0) + self.part_ns

    @property
    def part_ns(self) -> int:
        """How long the unfinished part is so far."""
        return sum(fragment.duration_ns for fragment in self._fragments)

    @property
    def growing_bytes(self) -> int:
        """What the newest segment takes, unfinished parts included."""
        growing = self.growing
        pending = sum(len(fragment.data) for fragment in self._fragments)
        return (growing.size_bytes if growing else 0) + pending

    @property
    def listed(self) -> list[Segment]:
        """What a playlist names: the newest, each with at least a part."""
        growing = self.growing
        is_listed = growing is None or bool(growing.parts)
        there = list(self._segments)[: None if is_listed else -1]
        return there[-(LISTED_SEGMENTS + int(growing is not None and is_listed)) :]

    @property
    def gaps(self) -> list[Gap]:
        """What was withdrawn right before the first segment that is listed."""
        found: list[Gap] = []
        number = self.listed[0].number if self.listed else self.next_number
        for gap in reversed(self._gaps):
            if gap.number == number - 1:
                number = gap.number
                found.insert(0, gap)
        return found

    @property
    def has_whole(self) -> bool:
        """Whether a playlist names a whole segment."""
        return any(segment.is_complete for segment in self.listed)

    @property
    def next_part(self) -> tuple[int, int]:
        """Segment and index of the part that comes next."""
        growing = self.growing
        if growing is None:
            return self.next_number, 0
        return growing.number, len(growing.parts)

    def segment(self, number: int) -> Segment | None:
        """Return a segment that is kept."""
        return next((s for s in self._segments if s.number == number), None)

    def discontinuity(self, number: int) -> Discontinuity | None:
        """Return a discontinuity of which something is kept."""
        return self._discontinuities.get(number)

    def has(self, number: int, part: int | None) -> bool:
        """Say whether a segment, or one of its parts, has been there already."""
        at = self.next_part
        return number < at[0] or (part is not None and (number, part) < at)


def _part_of(fragments: Sequence[Fragment]) -> Part:
    return Part(
        data=b"".join(fragment.data for fragment in fragments),
        duration_ns=sum(fragment.duration_ns for fragment in fragments),
        revision=min(fragment.revision for fragment in fragments),
        is_independent=fragments[0].is_keyframe,
        pictures=len(fragments),
    )
