"""Messages between supervisor and workers, descriptors among them."""

from __future__ import annotations

import dataclasses
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd import commands
from ooblexd.commands import (
    Applied,
    Message,
    Ready,
    receive,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: tuple[type[Message], ...] = get_args(Message)
MESSAGES = st.one_of([st.builds(kind) for kind in KINDS])
Ends = tuple[socket.socket, socket.socket]


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    """Both ends of a command socket."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in pair:
        end.setblocking(False)
    with pair[0], pair[1]:
        yield pair


@given(message=MESSAGES)
def test_a_message_arrives_as_it_was_sent(ends: Ends, message: Message) -> None:
    send(ends[0], message)

    assert receive(ends[1]) == (message, [])


def test_each_message_has_a_tag_of_its_own() -> None:
    assert len({kind.tag for kind in KINDS}) == len(KINDS)
    assert all(dataclasses.is_dataclass(kind) for kind in KINDS)


def test_descriptors_arrive_in_their_order_and_for_our_process_alone(
    ends: Ends,
) -> None:
    pipes = [os.pipe() for _ in range(3)]

    send(ends[0], Ready(), tuple(write for _, write in pipes))
    received = receive(ends[1])

    assert received is not None
    _, fds = received
    for number, fd in enumerate(fds):
        assert not os.get_inheritable(fd)
        os.write(fd, b"%d" % number)
        os.close(fd)
    assert [os.read(read, 1) for read, _ in pipes] == [b"0", b"1", b"2"]
    for pipe in pipes:
        for fd in pipe:
            os.close(fd)


def test_a_full_socket_is_told_to_the_sender_and_loses_nothing(ends: Ends) -> None:
    sent: list[tuple[Message, list[int]]] = []
    with suppress(BlockingIOError):
        for number in range(10_000):
            answer = Applied(number, "e" * 1000, 0, 0)
            send(ends[0], answer)
            sent.append((answer, []))

    arrived = [receive(ends[1]) for _ in sent]

    assert 0 < len(sent) < 10_000
    assert arrived == sent


def test_silence_is_told_apart_from_a_closed_end(ends: Ends) -> None:
    with pytest.raises(BlockingIOError):
        receive(ends[1])


def test_a_closed_end_is_told_to_both_who_read_and_who_send() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        ours.close()

        assert receive(theirs) is None
        with pytest.raises(ConnectionError):
            send(theirs, Ready())


def test_the_largest_plan_fits_into_one_message(ends: Ends) -> None:
    """32 effects of a chain with every parameter, and a source of 4 KiB."""
    plan = "x" * 64 * 1024

    send(ends[0], commands.ApplyPlans(1, {"door": plan}))

    assert receive(ends[1]) == (commands.ApplyPlans(1, {"door": plan}), [])
