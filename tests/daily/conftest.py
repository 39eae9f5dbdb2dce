"""A house whose rooms are on Daily's stand-in, by one clock that the test sets."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from greenroom import assembly
from greenroom.api.app import build_app
from greenroom.ports.store import Store
from greenroom.rooms.daily.rooms import DailyRooms
from greenroom.session.policy import Quotas
from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import NO_LIMITS, DailyStandIn
from greenroom.testing.daily.shapes import CreateWebhook
from tests.conftest import House, a_house
from tests.daily.command import ServedDaily, served_daily
from tests.daily.house import DailyPeople, rooms_on

WEBHOOK_SECRET = base64.b64encode(b"a secret of thirty-two characters").decode()


@pytest.fixture(scope="session")
def served() -> Iterator[ServedDaily]:
    """Daily's stand-in as a process of its own; one for all tests that only read or make."""
    with served_daily() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    """Daily's clock and ours."""
    return FakeClock()


@pytest.fixture
async def daily(clock: FakeClock) -> AsyncIterator[DailyStandIn]:
    """A domain of Daily's; how often it may be asked is a test of its own."""
    stand_in = DailyStandIn(now=clock.now, limits=NO_LIMITS)
    yield stand_in
    await stand_in.close()


@pytest.fixture
async def webhook(daily: DailyStandIn, web: httpx.AsyncClient) -> dict[str, Any]:
    """Daily tells the house what happens in the rooms, whenever it is delivered."""
    daily.webhooks.client = web
    wish = CreateWebhook(url="http://127.0.0.1/daily/webhook", hmac=WEBHOOK_SECRET)
    return await daily.webhooks.create(wish)


@pytest.fixture
async def rooms(daily: DailyStandIn, clock: FakeClock) -> AsyncIterator[DailyRooms]:
    """The adapter."""
    made = rooms_on(daily, clock)
    yield made
    await made.aclose()


@pytest.fixture
def people(daily: DailyStandIn, clock: FakeClock) -> DailyPeople:
    """What people do in the rooms."""
    return DailyPeople(daily, clock)


@pytest.fixture
def plan(plan: assembly.Plan, quotas: Quotas) -> assembly.Plan:
    """The usual house, which takes Daily's webhooks."""
    return replace(plan, quotas=quotas, daily_webhook_secret=WEBHOOK_SECRET)


@pytest.fixture
async def house(
    store: Store, plan: assembly.Plan, clock: FakeClock, rooms: DailyRooms
) -> AsyncIterator[House]:
    """The house; its attendance looks when the test says so."""
    async with a_house(store, plan, clock=clock, rooms=rooms) as made:
        yield made


@pytest.fixture
async def web(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor of the house, without a network in between."""
    transport = httpx.ASGITransport(build_app(house.parts), client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
