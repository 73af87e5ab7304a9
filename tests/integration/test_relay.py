"""A viewer who can reach the box through a TURN server alone sees the picture."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)

from tests.support.appliance import Appliance
from tests.support.relay_network import (
    BOX,
    PASSWORD,
    RELAY_OF_BOX,
    RELAY_OF_VIEWER,
    SECRET,
    STATIC_PORT,
    TIMED_PORT,
    USER,
    VIEWER,
    RelayNetwork,
    relay_network,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(120)  # two servers and a daemon come first

TOML = """
[streams.door]
source = "demo:"
effects = []
"""
STATIC = {
    "urls": f"turn:{RELAY_OF_BOX}:{STATIC_PORT}",
    "username": USER,
    "password": PASSWORD,
}
TIMED = {"urls": f"turn:{RELAY_OF_BOX}:{TIMED_PORT}?transport=tcp", "secret": SECRET}
# The same, as whoever watches reaches it.
OF_VIEWERS = {"urls": f"turn:{RELAY_OF_VIEWER}:{TIMED_PORT}", "secret": SECRET}


class Outpost:
    """A box and a viewer with nothing but a relay between them."""

    def __init__(self, network: RelayNetwork, appliance: Appliance) -> None:
        self.network = network
        self.appliance = appliance

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask the API, on the box: it listens nowhere else."""
        url = self.appliance.url + path
        return self.network.inside(
            "box", lambda: httpx.request(method, url, timeout=20, **more)
        )

    def use(self, *servers: dict[str, str]) -> None:
        """Have the next connection ask these."""
        patch = {"webrtc": {"ice_servers": servers}}
        answer = self.request("PATCH", "/api/v1/config", json=patch)
        assert answer.status_code == 200, answer.text
        assert PASSWORD not in answer.text
        assert SECRET not in answer.text

    def diagnose(self) -> dict[str, tuple[str, str, str]]:
        """Return status, detail and remedy of each check."""
        answer = self.request("GET", "/api/v1/webrtc/diagnose")
        assert answer.status_code == 200, answer.text
        return {
            one["check"]: (one["status"], one["detail"], one["remedy"])
            for one in answer.json()["items"]
        }

    def watch(self, *servers: RTCIceServer, within_s: float = 20.0) -> tuple[str, int]:
        """Return the answer to an offer, and how many pictures came, at most ten.

        Args:
            servers: That the viewer asks for its way.
            within_s: How long it waits for each picture.
        """
        return self.network.inside(
            "viewer", lambda: asyncio.run(self._watch(servers, within_s))
        )

    async def _watch(
        self, servers: tuple[RTCIceServer, ...], within_s: float
    ) -> tuple[str, int]:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=list(servers)))
        transceiver = connection.addTransceiver("video", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        answer = self.request(
            "POST",
            "/streams/door/whep",
            content=connection.localDescription.sdp,
            headers={"Content-Type": "application/sdp"},
        )
        assert answer.status_code == 201, answer.text
        description = RTCSessionDescription(answer.text, "answer")
        await connection.setRemoteDescription(description)
        seen = 0
        try:
            while seen < 10:
                await asyncio.wait_for(transceiver.receiver.track.recv(), within_s)
                seen += 1
        except asyncio.TimeoutError:
            self.request("DELETE", answer.headers["location"])
        await connection.close()
        return answer.text, seen


@pytest.fixture(scope="module")
def outpost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outpost]:
    folder = tmp_path_factory.mktemp("relay")
    with relay_network(folder) as network:
        appliance = Appliance(folder, TOML)
        network.inside("box", appliance.__enter__)
        try:
            yield Outpost(network, appliance)
        finally:
            appliance.__exit__(None, None, None)


def test_without_a_relay_they_do_not_meet(outpost: Outpost) -> None:
    outpost.use()

    answer, seen = outpost.watch(within_s=3)

    assert f" {BOX} " in answer
    assert seen == 0


@pytest.mark.parametrize("server", [STATIC, TIMED], ids=["password", "secret"])
def test_the_box_is_seen_through_its_relay(
    outpost: Outpost, server: dict[str, str]
) -> None:
    outpost.use(server)

    answer, seen = outpost.watch()

    assert f" {RELAY_OF_VIEWER} " in answer
    assert "typ relay" in answer
    assert seen == 10


def test_a_viewer_finds_its_way_by_what_the_box_says_of_relays(
    outpost: Outpost,
) -> None:
    outpost.use(OF_VIEWERS)
    said = outpost.request("OPTIONS", "/streams/door/whep").headers["link"]
    link, _, login = said.partition(">")
    named = dict(part.strip().split("=", 1) for part in login.split(";")[1:])
    told = {key: value.strip('"') for key, value in named.items()}
    server = RTCIceServer(link[1:], told["username"], told["credential"])
    outpost.use()  # the box itself has none now

    answer, seen = outpost.watch(server)

    assert "typ relay" not in answer
    assert seen == 10


def test_what_works_and_what_does_not_is_told_with_the_remedy(
    outpost: Outpost,
) -> None:
    wrong = {**STATIC, "password": "hunter3"}
    late = {**TIMED, "secret": "south"}
    nobody = {"urls": f"stun:{RELAY_OF_BOX}:9"}
    stun = {"urls": f"stun:{RELAY_OF_BOX}:{STATIC_PORT}"}
    unknown = {**STATIC, "urls": "turn:nobody.invalid"}
    outpost.use(wrong, late, nobody, stun, unknown)

    found = outpost.diagnose()

    assert found["addresses"] == ("ok", f"{BOX} (private)", "")
    for server in (wrong, late):
        status, detail, remedy = found[server["urls"]]
        assert (status, "401" in detail) == ("fail", True)
        assert "username and password, or secret and clock" in remedy
    assert found[nobody["urls"]][1] == "no answer within 2 s"
    assert "the name nobody.invalid leads nowhere" in found[unknown["urls"]][1]
    status, detail, _ = found[stun["urls"]]
    assert (status, f"sees us as {BOX}:" in detail) == ("ok", True)
    assert found["nat"] == ("ok", "none: others see us by an address of our own", "")
    assert found["other networks"][0] == "warn"
    assert found["page"][0] == "ok"


def test_what_failed_of_late_is_told(outpost: Outpost) -> None:
    outpost.use(STATIC)

    found = outpost.diagnose()

    assert f"relays by {RELAY_OF_VIEWER}" in found[STATIC["urls"]][1]
    assert found["other networks"][0] == "ok"
    # The viewer of the first test has waited in vain.
    status, detail, _ = found["stream door"]
    assert status == "warn"
    assert f"no way was found (ICE); it can be reached at {VIEWER} (host)" in detail
