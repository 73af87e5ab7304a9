"""Who can watch by WebRTC, judged by our addresses and what the servers answered."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ooblexd.checks.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ooblexd.checks.finding import Finding
    from ooblexd.checks.ice import Answered
    from ooblexd.ice import IceSettings

_TURN = (
    "a TURN server in webrtc.ice_servers, such as coturn on a machine both can reach"
)


def judge_reach(
    addresses: Sequence[str], answers: Sequence[Answered], settings: IceSettings
) -> list[Finding]:
    """Judge who reaches us.

    Args:
        addresses: Our own.
        answers: Of the configured servers.
        settings: Of the connections.
    """
    findings = [_addresses(addresses)]
    findings += [_server(answer) for answer in answers]
    if answers:
        findings += [_udp(answers), *_translation(addresses, answers)]
    return [*findings, _ports(settings), _elsewhere(addresses, answers, settings)]


def _addresses(addresses: Sequence[str]) -> Finding:
    name = "addresses"
    if not addresses:
        text = "this machine has no address but its own"
        return fail(name, text, "connect it to a network")
    told = ", ".join(f"{one} ({_kind(one)})" for one in addresses)
    return ok(name, told)


def _server(answer: Answered) -> Finding:
    if answer.error:
        return fail(answer.url, answer.error, answer.remedy)
    host, port = answer.seen_as
    told = f"answers in {answer.ms:.0f} ms"
    told += f", sees us as {host}:{port}" if host else ""
    told += f", relays by {answer.relay}" if answer.relay else ""
    return ok(answer.url, told)


def _udp(answers: Sequence[Answered]) -> Finding:
    name = "udp"
    if any(answer.transport == "udp" and not answer.error for answer in answers):
        return ok(name, "leaves this network, and answers come back")
    if any(not answer.error for answer in answers):
        text = "no server answers by UDP, while one does by TCP"
        remedy = "let UDP out of this network; by TCP pictures wait for lost ones"
        return warn(name, text, remedy)
    return warn(name, "no server answers", "see the servers above")


def _translation(
    addresses: Sequence[str], answers: Sequence[Answered]
) -> list[Finding]:
    name = "nat"
    reflected = [a for a in answers if a.url.startswith("stun:") and not a.error]
    if not reflected:
        return []
    seen = {answer.seen_as for answer in reflected}
    if {host for host, _ in seen} <= set(addresses):
        return [ok(name, "none: others see us by an address of our own")]
    if len({port for _, port in seen}) > 1:
        text = "symmetric: each server sees another port, so viewers would too"
        return [warn(name, text, _TURN)]
    return [ok(name, f"others see us as {', '.join(sorted(host for host, _ in seen))}")]


def _ports(settings: IceSettings) -> Finding:
    name = "udp ports"
    if not settings.first_port:
        return ok(name, "any; webrtc.udp_ports narrows them for a firewall or router")
    count = settings.last_port - settings.first_port + 1
    return ok(
        name,
        f"{settings.first_port}-{settings.last_port}: {count} connections at a time",
    )


def _elsewhere(
    addresses: Sequence[str], answers: Sequence[Answered], settings: IceSettings
) -> Finding:
    """Say what a browser in another network needs."""
    name = "other networks"
    good = [answer for answer in answers if not answer.error]
    public = [one for one in addresses if _kind(one) == "public"]
    if any(answer.relay for answer in good):
        return ok(name, "viewers connect, through the relay where nothing else does")
    if settings.additional_hosts:
        text = f"viewers try {', '.join(settings.additional_hosts)}"
        if settings.first_port:
            ports = f"{settings.first_port}-{settings.last_port}"
            return ok(name, f"{text}, if the router passes UDP {ports} on to us")
        remedy = "set webrtc.udp_ports, and have the router pass these on to us"
        return warn(name, f"{text}, but by any UDP port", remedy)
    if public:
        text = f"viewers try {', '.join(public)}, if a firewall lets UDP in"
        return ok(name, text)
    if any(answer.seen_as[0] for answer in good):
        text = "most viewers connect; some mobile and company networks need a relay"
        return warn(name, text, _TURN)
    text = "viewers cannot connect: no address of ours is public, and no relay works"
    return warn(name, text, _TURN)


def _kind(address: str) -> str:
    return "public" if ipaddress.ip_address(address).is_global else "private"
