"""Who can watch by WebRTC, by what is known of the networks."""

from __future__ import annotations

import pytest

from ooblexd.checks.finding import Level
from ooblexd.checks.ice import Answered
from ooblexd.checks.reach import judge_reach
from ooblexd.ice import IceSettings

HOME, PUBLIC, ROUTER = "192.168.1.5", "8.8.4.4", "9.9.9.9"
STUN = Answered("stun:a.example", "udp", 12, (ROUTER, 4000))
OTHER = Answered("stun:b.example", "udp", 12, (ROUTER, 4001))
TURN = Answered("turn:a.example", "udp", 30, (ROUTER, 4000), ROUTER)
BY_TCP = Answered("turns:a.example", "tcp", 30, (ROUTER, 4000), ROUTER)
SILENT = Answered("stun:c.example", "udp", error="no answer", remedy="is it on?")


def judged(
    addresses: list[str], answers: list[Answered], settings: IceSettings | None = None
) -> dict[str, tuple[Level, str, str]]:
    findings = judge_reach(addresses, answers, settings or IceSettings())
    return {one.name: (one.level, one.text, one.remedy) for one in findings}


def test_a_box_without_a_network_is_told_so() -> None:
    assert judged([], [])["addresses"][0] is Level.FAIL


def test_within_a_network_alone_others_need_a_relay() -> None:
    found = judged([HOME], [])

    assert found["addresses"] == (Level.OK, f"{HOME} (private)", "")
    level, text, remedy = found["other networks"]
    assert level is Level.WARN
    assert "cannot connect" in text
    assert "TURN" in remedy
    assert not {"udp", "nat"} & found.keys()  # nobody was asked


@pytest.mark.parametrize(
    ("addresses", "answers", "settings", "level", "words"),
    [
        ([HOME], [TURN], IceSettings(), Level.OK, "through the relay"),
        ([HOME], [STUN], IceSettings(), Level.WARN, "most viewers connect"),
        ([HOME], [SILENT], IceSettings(), Level.WARN, "cannot connect"),
        ([HOME, PUBLIC], [], IceSettings(), Level.OK, f"viewers try {PUBLIC}"),
        (
            *([HOME], [], IceSettings(additional_hosts=(ROUTER,))),
            *(Level.WARN, "by any UDP port"),
        ),
        (
            [HOME],
            [],
            IceSettings(additional_hosts=(ROUTER,), first_port=50000, last_port=50100),
            Level.OK,
            "passes UDP 50000-50100 on",
        ),
    ],
)
def test_what_others_need_depends_on_what_is_there(
    addresses: list[str],
    answers: list[Answered],
    settings: IceSettings,
    level: Level,
    words: str,
) -> None:
    found = judged(addresses, answers, settings)["other networks"]

    assert found[0] is level
    assert words in found[1]


def test_a_network_that_lets_no_udp_out_is_told() -> None:
    assert judged([HOME], [STUN, SILENT])["udp"][0] is Level.OK
    assert "by UDP" in judged([HOME], [SILENT, BY_TCP])["udp"][1]
    assert judged([HOME], [SILENT])["udp"][0] is Level.WARN


def test_translation_is_told_by_what_others_see() -> None:
    seen_at_home = Answered("stun:a.example", "udp", 12, (HOME, 4000))

    assert "none" in judged([HOME], [seen_at_home])["nat"][1]
    assert ROUTER in judged([HOME], [STUN])["nat"][1]
    assert "symmetric" in judged([HOME], [STUN, OTHER])["nat"][1]
