from __future__ import annotations

import os
import socket

import pytest

from ooblexd.control.local import Peer, may_ask, peer_of

DAEMON_UID, SOCKET_GID = 990, 980


@pytest.mark.parametrize(
    "peer",
    [
        Peer(1, 0, (0,)),
        Peer(1, DAEMON_UID, (7,)),
        Peer(1, 1000, (1000, 27, SOCKET_GID)),
    ],
)
def test_root_the_daemons_user_and_its_group_may_ask(peer: Peer) -> None:
    assert may_ask(peer, DAEMON_UID, SOCKET_GID)


def test_nobody_else_may_ask() -> None:
    assert not may_ask(Peer(1, 1000, (1000, 27, 0)), DAEMON_UID, SOCKET_GID)


def test_the_kernel_says_who_connected() -> None:
    ours, theirs = socket.socketpair()

    with ours, theirs:
        peer = peer_of(ours)

    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
    assert {os.getegid(), *os.getgroups()} == set(peer.groups)
