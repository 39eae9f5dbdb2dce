"""A relay on loopback, a machine that listens, and an application behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from greenroom.relay.addresses import Addresses
from greenroom.relay.app import Relay, build_relay_app
from greenroom.relay.bounds import Bounds
from greenroom.relay.keep import open_keep
from greenroom.relay.listener import Listener, Passed
from greenroom.testing.clock import FakeClock
from greenroom.wire.relay import MAX_MESSAGE_BYTES, Replay, Welcome
from tests.listening import listening

ADDRESSES = Addresses("r" * 32)
ADA = ADDRESSES.token_of("ada")
BEARER = {"Authorization": f"Bearer {ADA}"}


@dataclass
class RunningRelay:
    port: int
    relay: Relay
    clock: FakeClock

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"{self.url}/in/{ADDRESSES.address_of('ada')}"

    async def post(self, body: bytes = b"{}", **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            return await client.post(self.address, content=body, headers=headers)

    async def status(self) -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.url}/status", headers=BEARER)
        told: dict[str, Any] = answer.json()
        return told

    async def until_listening(self, expected: bool = True) -> None:
        async with asyncio.timeout(20):
            while self.relay.line("ada").listening is not expected:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def a_relay(
    folder: Path, *, port: int = 0, clock: FakeClock | None = None, **bounds: Any
) -> AsyncIterator[RunningRelay]:
    """A relay that keeps in this folder, while the block lasts."""
    clock, limits = clock or FakeClock(), Bounds(**bounds)
    keep = await open_keep(folder / "relay.db", limits)
    relay = Relay(ADDRESSES, keep, limits, public_url="https://relay.example", now=clock.now)
    app = build_relay_app(relay)
    try:
        async with listening(app, port=port, ws_max_size=MAX_MESSAGE_BYTES) as bound:
            yield RunningRelay(bound, relay, clock)
    finally:
        await keep.close()


@dataclass
class Machine:
    """A developer's machine; what it would have printed."""

    listener: Listener | None = None
    task: asyncio.Task[None] | None = None
    welcomes: list[Welcome] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    waited: int = 0

    def wait(self) -> None:
        self.waited += 1

    async def until_passed(self, count: int) -> list[Passed]:
        async with asyncio.timeout(20):
            while len(self.passed) < count:
                await asyncio.sleep(0.005)
        return self.passed


@asynccontextmanager
async def a_machine(
    relay_url: str,
    forward_to: str,
    *,
    token: str = ADA,
    replay: Replay | None = None,
    within_s: float = 5.0,
) -> AsyncIterator[Machine]:
    """A machine that listens while the block lasts."""
    machine = Machine()
    machine.listener = Listener(
        relay_url,
        token,
        forward_to,
        on_welcome=machine.welcomes.append,
        on_passed=machine.passed.append,
        on_waiting=machine.wait,
        on_away=machine.away.append,
        replay=replay,
        within_s=within_s,
    )
    machine.task = asyncio.create_task(machine.listener.run())
    try:
        async with asyncio.timeout(20):
            while not machine.welcomes and not machine.task.done():
                await asyncio.sleep(0.005)
        yield machine
    finally:
        machine.task.cancel()
        await asyncio.gather(machine.task, return_exceptions=True)
