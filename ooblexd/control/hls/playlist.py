"""What a timeline holds, in the words of HLS: pure."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ooblexd.control.hls.timeline import Gap, Part, Segment, Timeline

_VERSION = 9
_TARGET_S = 2  # a promise; segments are half as long, unless pictures are rare
_PART_TARGET_S = 0.2  # longer ones are told; the others have 85 % of that
_PART_STEPS_A_S = 100
_WITH_PARTS = 3  # segments, the newest
_PARTS_BACK = 3  # how many a player keeps back from the edge, as HLS recommends
_US_PER_S = NS_PER_S // NS_PER_US
_GROUP = "sound"
_SOUND_CODECS = "mp4a.40.2"
_SOUND_BIT_RATE = 200_000  # more than most have, with its container


SOUND = "sound."
"""With this begin the names of all that is of sound."""


def format_multivariant(
    timeline: Timeline, session: str, sound: Sequence[str] = ()
) -> str:
    """Return the playlist that names the other ones, and what it takes to play them.

    Args:
        timeline: Of pictures, with at least a part.
        session: By which the player's requests are known.
        sound: What `describe_sound` says of that; empty where there is none.
    """
    newest = timeline.listed[-1]
    shape = timeline.discontinuity(newest.discontinuity)
    assert shape is not None, "it is kept while a segment needs it"
    parts = [part for segment in timeline.listed for part in segment.parts]
    duration_s = sum(part.duration_ns for part in parts) / NS_PER_S
    mean = math.ceil(8 * sum(len(part.data) for part in parts) / duration_s)
    peak = max(map(_bit_rate, filter(_is_whole, timeline.listed)), default=mean)
    fps = sum(part.pictures for part in parts) / duration_s
    codecs = f"{shape.codecs},{_SOUND_CODECS}" if sound else shape.codecs
    audible = _SOUND_BIT_RATE if sound else 0
    attributes = (
        f"BANDWIDTH={max(peak, mean) + audible},AVERAGE-BANDWIDTH={mean + audible},"
        f'CODECS="{codecs}",RESOLUTION={shape.width}x{shape.height},'
        f"FRAME-RATE={fps:.3f}"
    )
    if sound:
        attributes += f',AUDIO="{_GROUP}"'
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        *sound,
        f"#EXT-X-STREAM-INF:{attributes}",
        f"live.m3u8?session={session}",
    ]
    return "\n".join(lines) + "\n"


def describe_sound(channels: int) -> list[str]:
    """Return how the playlist of sound is named in the one that players begin with."""
    attributes = (
        f'TYPE=AUDIO,GROUP-ID="{_GROUP}",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,'
        f'CHANNELS="{channels}",URI="{SOUND}m3u8"'
    )
    return [f"#EXT-X-MEDIA:{attributes}"]


def format_playlist(timeline: Timeline, prefix: str = "") -> str:
    """Return the playlist of segments and parts, of which there is at least one.

    Args:
        timeline: Of pictures or of sound.
        prefix: With what names begin: `SOUND` where it is that.
    """
    listed = timeline.listed
    parts = [part for segment in listed for part in segment.parts]
    part_target_s = max(map(_part_target_s, parts))
    gaps = timeline.gaps
    spans: list[Segment | Gap] = [*listed, *gaps]
    target_s = max(_rounded_s(one.duration_ns) for one in spans)
    first = timeline.discontinuity(listed[0].discontinuity)
    assert first is not None, "it is kept while a segment needs it"
    back_s = _PARTS_BACK * part_target_s
    of_gaps = [*(gap.discontinuity for gap in gaps), first.number]
    breaks = sum(before != after for before, after in pairwise(of_gaps))
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        f"#EXT-X-TARGETDURATION:{max(target_s, _TARGET_S)}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={back_s:.3f}",
        f"#EXT-X-PART-INF:PART-TARGET={part_target_s:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{gaps[0].number if gaps else listed[0].number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.sequence - breaks}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    # Without them hls.js guesses, by numbers, where what comes next has its place in
    # time: seconds too early, and waits.
    for gap, after in zip(gaps, of_gaps[1:], strict=True):
        lines += _lines_of_gap(gap, prefix)
        if gap.discontinuity != after:
            lines.append("#EXT-X-DISCONTINUITY")
    before: Segment | None = None
    for segment in listed:
        # Further back nobody begins with a part, and they should not be named there.
        is_near = segment.number > listed[-1].number - _WITH_PARTS
        parts = segment.parts if is_near else []
        lines += _lines_of(segment, before, parts, prefix)
        before = segment
    hinted = prefix + part_name(*timeline.next_part)
    lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{hinted}"')
    return "\n".join(lines) + "\n"


def init_name(discontinuity: int) -> str:
    """Return how an init segment is called."""
    return f"init.{discontinuity}.mp4"


def segment_name(number: int) -> str:
    """Return how a segment is called."""
    return f"{number}.m4s"


def part_name(number: int, index: int) -> str:
    """Return how a part of a segment is called."""
    return f"{number}.{index}.m4s"


def _lines_of(
    segment: Segment, before: Segment | None, parts: Sequence[Part], prefix: str
) -> Iterator[str]:
    is_same = before is not None and before.discontinuity == segment.discontinuity
    if before is not None and not is_same:
        yield "#EXT-X-DISCONTINUITY"
    if not is_same:
        yield f'#EXT-X-MAP:URI="{prefix}{init_name(segment.discontinuity)}"'
    yield _line_of_date(segment.at_us)
    for index, part in enumerate(parts):
        name = prefix + part_name(segment.number, index)
        is_independent = ",INDEPENDENT=YES" if part.is_independent else ""
        duration_s = part.duration_ns / NS_PER_S
        yield f'#EXT-X-PART:DURATION={duration_s:.5f},URI="{name}"{is_independent}'
    if segment.is_complete:
        yield f"#EXTINF:{segment.duration_ns / NS_PER_S:.5f},"
        yield prefix + segment_name(segment.number)


def _lines_of_gap(gap: Gap, prefix: str) -> Iterator[str]:
    yield _line_of_date(gap.at_us)
    yield "#EXT-X-GAP"
    yield f"#EXTINF:{gap.duration_ns / NS_PER_S:.5f},"
    yield prefix + segment_name(gap.number)


def _line_of_date(at_us: int) -> str:
    at = datetime.fromtimestamp(at_us / _US_PER_S, timezone.utc)
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"#EXT-X-PROGRAM-DATE-TIME:{text}"


def _part_target_s(part: Part) -> float:
    steps = math.ceil(part.duration_ns / NS_PER_S * _PART_STEPS_A_S)
    return max(steps / _PART_STEPS_A_S, _PART_TARGET_S)


def _rounded_s(duration_ns: int) -> int:
    return round(duration_ns / NS_PER_S)


def _is_whole(segment: Segment) -> bool:
    return segment.is_complete


def _bit_rate(segment: Segment) -> int:
    return math.ceil(8 * segment.size_bytes * NS_PER_S / segment.duration_ns)
