"""The house whose rooms are on Daily and whose agents are on Pipecat Cloud: on their stand-ins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from greenroom.testing.deployments import Hosted
from greenroom.testing.postgres_server import PostgresServer
from tests.chaos.elsewhere.gate import Gate
from tests.chaos.elsewhere.providers import AGENT, Providers
from tests.chaos.house import House


class HouseElsewhere(House):
    """As `House`; its bots are `Hosted`, and dial through a gate.

    Args:
        folder: An empty folder.
        limits: ``GREENROOM_*`` of this run.
        postgres: A server with an empty database; SQLite if None.
    """

    def __init__(
        self, folder: Path, limits: Mapping[str, str], postgres: PostgresServer | None
    ) -> None:
        super().__init__(folder, limits, postgres)
        self._bot = None
        self.providers = Providers(folder)
        self.lines = Gate(lambda: self.server.port)

    async def _settings(self) -> dict[str, str]:
        return {**await super()._settings(), **await self.providers.open()}

    async def _line_to_bots(self) -> str:
        return f"ws://127.0.0.1:{await self.lines.open()}/link"

    async def _close(self) -> None:
        await self.lines.close()
        await self.providers.close()

    def agents(self) -> list[Hosted]:
        """Those that run now."""
        return self.providers.cloud.active(AGENT)

    def victim(self, share: float) -> Hosted | None:
        """One of them."""
        agents = [one for one in self.agents() if one.begun_at is not None]
        return agents[int(share * len(agents))] if agents else None


def session_of(agent: Hosted) -> str:
    """Which session of ours an agent was started for."""
    return str(agent.body["greenroom"]["session"]["sessionId"])


def launch_of(agent: Hosted) -> str:
    """By which launch."""
    return str(agent.body["greenroom"]["session"]["launchId"])
