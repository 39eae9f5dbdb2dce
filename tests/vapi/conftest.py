"""A house whose rooms are on Daily's stand-in, and pages that show it a public key."""

from __future__ import annotations

import httpx
import pytest

from greenroom.ports.audit import Actor, ActorKind
from greenroom.wire.keys import Scope
from tests.conftest import House
from tests.daily.conftest import clock, daily, house, plan, rooms, web, webhook

__all__ = ["clock", "daily", "house", "plan", "rooms", "web", "webhook"]

_OPERATOR = Actor(ActorKind.COMMAND, "ada")


async def key_of(house: House, *scopes: Scope, tenant: str | None = None) -> dict[str, str]:
    """What a client shows that has such a key."""
    key, _ = await house.parts.keys.make(_OPERATOR, "web", scopes, tenant)
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
async def page(house: House, web: httpx.AsyncClient) -> httpx.AsyncClient:
    """A page with VAPI's SDK: it shows a public key, and nothing else."""
    web.headers.update(await key_of(house, Scope.START))
    return web
