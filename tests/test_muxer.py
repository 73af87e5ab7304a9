"""What comes out of a muxer is played, from every place where one may begin."""

from __future__ import annotations

import io

import av
import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.control.muxing import codecs_of, split_init
from ooblexd.errors import MuxerError
from ooblexd.muxer import Container, Muxer
from tests.support.h264 import FIRST_NS, Unit, units

SIZE = (320, 180)
PICTURE_S = 0.04


def muxed(container: Container, pictures: list[Unit]) -> tuple[list[bytes], bytes]:
    muxer = Muxer(container, *SIZE)
    pieces = [
        muxer.mux(unit.data, unit.pts_ns, is_keyframe=unit.is_keyframe)
        for unit in pictures
    ]
    return pieces, muxer.close()


def played(data: bytes, kind: str) -> list[float]:
    """Return when each picture is shown, in seconds; each is decoded."""
    with av.open(io.BytesIO(data), "r", format=kind) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def test_mp4_gives_each_picture_once_the_next_is_there() -> None:
    pieces, last = muxed(Container.MP4, units(25))

    assert pieces[0] == b""
    assert all(piece[4:8] == b"moof" for piece in (*pieces[2:], last))
    times = played(b"".join(pieces) + last, "mp4")
    assert times == pytest.approx([n * PICTURE_S for n in range(25)], abs=0.001)


@pytest.mark.parametrize("container", Container)
def test_pictures_a_tick_apart_are_two(container: Container) -> None:
    apart = [
        unit._replace(pts_ns=FIRST_NS + (90_001 + n) * NS_PER_S // 90_000)
        for n, unit in enumerate(units(9))
    ]

    pieces, last = muxed(container, apart)

    assert len(played(b"".join(pieces) + last, container.value)) == 9


def test_mp4_can_begin_with_any_keyframe_behind_its_init_segment() -> None:
    pieces, _ = muxed(Container.MP4, units(25, keyframe_every=10))

    init, first = split_init(pieces[1])
    assert first[4:8] == b"moof"
    assert codecs_of(init).startswith("avc1.42C0")
    times = played(init + b"".join(pieces[11:]), "mp4")
    # The fragment of picture 10 comes with picture 11; picture 24 was held.
    assert times == pytest.approx([n * PICTURE_S for n in range(10, 24)], abs=0.001)


def test_mpeg_ts_holds_nothing_back_and_can_begin_with_any_keyframe() -> None:
    pieces, last = muxed(Container.MPEG_TS, units(25, keyframe_every=10))

    assert last == b""
    assert len(played(b"".join(pieces), "mpegts")) == 25
    assert len(played(b"".join(pieces[10:]), "mpegts")) == 15


def test_time_that_goes_back_is_told() -> None:
    muxer = Muxer(Container.MP4, *SIZE)
    data = units(1)[0].data
    for second in range(2):
        muxer.mux(data, FIRST_NS + second * NS_PER_S, is_keyframe=True)

    with pytest.raises(MuxerError, match=r"^mp4: "):
        muxer.mux(data, FIRST_NS, is_keyframe=True)


def test_an_init_segment_without_parameter_sets_is_told() -> None:
    with pytest.raises(MuxerError, match="no parameter sets"):
        codecs_of(b"")
