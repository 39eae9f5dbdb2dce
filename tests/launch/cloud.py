"""Pipecat Cloud's stand-in with a launcher in front of it, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from greenroom.api.server import server_config
from greenroom.launch.pipecat_cloud.capacity import AgentCapacity
from greenroom.launch.pipecat_cloud.client import CloudClient
from greenroom.launch.pipecat_cloud.launcher import PipecatCloudLauncher
from greenroom.main import SystemClock
from greenroom.ports.clock import Clock
from greenroom.ports.launcher import LaunchOrder
from greenroom.testing.deployments import Deployment, Hosted, Idle
from greenroom.testing.pipecat_cloud import PipecatCloud
from greenroom.wire.link import RoomSpec, SessionSpec
from tests.launch.helpers import an_order
from tests.listening import serving

AGENT = "parrot"
_numbers = itertools.count(1)


def a_cloud_order(**changes: Any) -> LaunchOrder:
    """An order whose agent is handed over its session."""
    order = replace(an_order(), session_id=f"ses_{next(_numbers):024x}")
    spec = SessionSpec(
        session_id=order.session_id,
        launch_id=order.launch_id,
        assistant=AGENT,
        room=RoomSpec(name="voice-ada-0123456789ab"),
        persistence_s=300.0,
        body={"name": "Ada"},
    )
    return replace(order, session=spec, link_url="wss://greenroom.example/link", **changes)


@dataclass
class Cloud:
    """The stand-in, and who launches on it."""

    stand_in: PipecatCloud
    deployment: Deployment
    client: CloudClient
    capacity: AgentCapacity
    launcher: PipecatCloudLauncher
    clock: Clock

    @property
    def agent(self) -> Idle:
        assert isinstance(self.deployment.agent, Idle)
        return self.deployment.agent

    @property
    def active(self) -> list[Hosted]:
        return self.stand_in.active(AGENT)


@contextlib.asynccontextmanager
async def a_cloud(
    state_dir: Path, clock: Clock | None = None, *, private: bool = True, **deployed: Any
) -> AsyncIterator[Cloud]:
    """A deployment, by default without cold starts, and a launcher that looks often."""
    time = clock or SystemClock()
    deployment = Deployment(AGENT, **{"cold_start_s": 0.0, "max_session_s": 7_200.0, **deployed})
    stand_in = PipecatCloud([deployment], clock=time)
    client = CloudClient(
        AGENT,
        "pk_stand-in",
        "sk_stand-in" if private else None,
        "http://cloud.example",
        httpx.ASGITransport(stand_in.app),
    )
    capacity = AgentCapacity(client)
    launcher = PipecatCloudLauncher(client, state_dir, time, capacity, look_every_s=0.05)
    ticking = asyncio.create_task(stand_in.run())
    try:
        yield Cloud(stand_in, deployment, client, capacity, launcher, time)
    finally:
        await launcher.close()
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


@contextlib.asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """An application on a free port of loopback; gives its address."""
    async with serving(server_config(app, port=0)) as port:
        yield f"http://127.0.0.1:{port}"
