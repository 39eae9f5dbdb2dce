"""The whole way over Pipecat Cloud's stand-in: a server, an agent in its own process, a caller.

The agent gets nothing but ``runner_args.body``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from greenroom.doctor.peer import a_peer
from greenroom.main import SystemClock
from greenroom.testing.agents import Processes
from greenroom.testing.deployments import Deployment
from greenroom.testing.pipecat_cloud import PipecatCloud
from tests.e2e.conftest import StartServer
from tests.e2e.figures import Measured
from tests.e2e.server import eventually
from tests.launch.cloud import listening

pytestmark = pytest.mark.e2e

AGENT = Path(__file__).parents[2] / "examples" / "cloud-agent" / "bot.py"
PATIENCE_S = 60.0


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[tuple[PipecatCloud, str, Path]]:
    """The stand-in on a port, and its agents' output."""
    said = tmp_path / "agents.log"
    with said.open("wb") as output:
        agent = Processes(AGENT, {"GREETING": "Say something."}, output)
        stand_in = PipecatCloud(
            [Deployment("parrot", agent, cold_start_s=0.5)], clock=SystemClock()
        )
        ticking = asyncio.create_task(stand_in.run())
        async with listening(stand_in.app) as address:
            yield stand_in, address, said
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


async def status_of(http: httpx.AsyncClient, session_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"/api/voice/session/{session_id}")).json()
    return found


async def until_status(http: httpx.AsyncClient, session_id: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while (now := await status_of(http, session_id))["status"] != status:
            await asyncio.sleep(0.05)
    return now


async def test_an_agent_with_nothing_but_its_body_gets_through_a_session(
    start_server: StartServer, cloud: tuple[PipecatCloud, str, Path], measured: Measured
) -> None:
    stand_in, address, said = cloud
    settings = {
        "GREENROOM_LAUNCHER": "pipecat-cloud",
        "GREENROOM_PIPECAT_CLOUD_URL": address,
        "GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY": "pk_stand-in",
        "GREENROOM_PIPECAT_CLOUD_PRIVATE_KEY": "sk_stand-in",
        "GREENROOM_PIPECAT_CLOUD_AGENT": "parrot",
        "GREENROOM_ALLOW_LOOPBACK_MEDIA": "1",
    }
    async with start_server(**settings) as server, a_peer(over_loopback=True) as peer:
        async with httpx.AsyncClient(base_url=server.url, timeout=90, trust_env=False) as http:
            clicked_s = time.monotonic()
            wanted = {"offer": await peer.offer(), "body": {"name": "Ada"}}
            answer = await http.post("/api/voice/session", json=wanted)
            assert answer.status_code == 201, (answer.text, said.read_text())
            session_id = answer.json()["session"]["sessionId"]
            (hosted,) = stand_in.active("parrot")
            assert hosted.cold
            await peer.take(answer.json()["answer"]["sdp"])
            async with asyncio.timeout(PATIENCE_S):
                heard_s = await peer.first_sound()
            measured("agent elsewhere: click → first sound", (heard_s - clicked_s) * 1000, "ms")
            await until_status(http, session_id, "active")
            assert server.bots() == [], "nothing of it runs beside the server"

            for muted in (True, False):
                mute = {"sessionId": session_id, "isMuted": muted, "timestamp": 2 - muted}
                assert (await http.post("/api/voice/mute", json=mute)).is_success
            for paused in (True, False):
                pause = {"sessionId": session_id, "paused": paused}
                assert (await http.post("/api/voice/pause", json=pause)).is_success
            said_goodbye = {"text": "goodbye"}
            path = f"/api/voice/session/{session_id}"
            assert (await http.post(f"{path}/message", json=said_goodbye)).is_success
            ended = await until_status(http, session_id, "inactive")
            assert ended["reason"] == "goodbye", "it was heard to its end"
            used = ended["cost"]["components"]
            assert used.keys() >= {"container", "room", "tts"}, "it is metered as here"
        await eventually(lambda: not stand_in.active("parrot"), 5.0, "an agent still runs")
        agent = hosted.deployment.agent
        assert isinstance(agent, Processes)
        assert [process.returncode for process in agent.processes.values()] == [0]
    assert "Traceback" not in said.read_text()
    assert "Traceback" not in server.log
