"""The ports that others publish on: opened, shared, closed, and told to control."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ooblexd.commands import Listen, ListenNoMore
from ooblexd.errors import ChangeRefusedError, PortUnusableError
from ooblexd.plan import Place, StreamPlan
from ooblexd.supervisor.doors import Doors, refuse_twins
from tests.support.publishers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.commands import Message


def plan(name: str, port: int, *, enabled: bool = True) -> StreamPlan:
    source = f"rtmp-listen://127.0.0.1:{port}/{name}"
    return StreamPlan(name, source, enabled=enabled)


@contextmanager
def doors(playing: Place | None = None) -> Iterator[tuple[Doors, list[Message]]]:
    told: list[Message] = []
    ours = Doors(lambda message, _: told.append(message), playing)
    yield ours, told
    ours.close()


def is_open(port: int) -> bool:
    with socket.socket() as end:
        return end.connect_ex(("127.0.0.1", port)) == 0


def test_streams_share_a_port_until_the_last_has_gone() -> None:
    port = free_port()
    one, other = plan("one", port), plan("other", port)
    with doors() as (ours, told):
        ours.open_for(one)
        ours.open_for(other)
        ours.settle([other])
        assert is_open(port)
        ours.settle([plan("other", port, enabled=False)])
        assert not is_open(port)

    assert told == [
        Listen("rtmp", "127.0.0.1", port),
        ListenNoMore("rtmp", "127.0.0.1", port),
    ]


def test_the_door_of_players_serves_publishers_and_stays_when_they_go() -> None:
    port = free_port()
    yard = StreamPlan("yard", f"rtsp-listen://127.0.0.1:{port}/yard")
    with doors(Place("rtsp", "127.0.0.1", port)) as (ours, told):
        ours.open_for_players()
        ours.open_for(yard)
        ours.settle([])
        assert is_open(port)
        assert told == [Listen("rtsp", "127.0.0.1", port)]
    assert not is_open(port)


def test_a_door_of_players_that_is_in_use_is_told_by_its_key() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        doors(Place("rtsp", "127.0.0.1", taken.getsockname()[1])) as (ours, _),
        pytest.raises(PortUnusableError, match=r"^rtsp\.port: port \d+ is "),
    ):
        ours.open_for_players()


def test_a_new_life_of_control_is_told_of_all() -> None:
    ports = [free_port(), free_port()]
    with doors() as (ours, told):
        for number, port in enumerate(ports):
            ours.open_for(plan(f"s{number}", port))
        told.clear()
        ours.brief()
        assert {message.port for message in told if isinstance(message, Listen)} == {
            *ports
        }


def test_whoever_pulls_opens_no_port() -> None:
    with doors() as (ours, told):
        ours.open_for(StreamPlan("demo", "demo:"))
        ours.open_for(plan("off", 1, enabled=False))
    assert told == []


def test_a_port_of_our_own_on_another_address_is_told_apart() -> None:
    port = free_port()
    everywhere = StreamPlan("more", f"rtmp-listen://0.0.0.0:{port}/more")
    with doors() as (ours, _):
        ours.open_for(plan("one", port))
        with pytest.raises(PortUnusableError, match="this daemon's own already"):
            ours.open_for(everywhere)


def test_an_address_of_another_machine_is_told() -> None:
    elsewhere = StreamPlan("more", "rtmp-listen://192.0.2.1:1935/more")
    with (
        doors() as (ours, _),
        pytest.raises(PortUnusableError, match="is no address of this machine"),
    ):
        ours.open_for(elsewhere)


def test_twins_are_refused_by_name() -> None:
    port = free_port()
    twin = StreamPlan("b", plan("a", port).source)

    with pytest.raises(ChangeRefusedError, match="is that of a already"):
        refuse_twins([plan("a", port), twin])
    refuse_twins([plan("a", port, enabled=False), twin])
