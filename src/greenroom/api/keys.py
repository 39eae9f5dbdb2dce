"""``/api/operator/keys`` and ``/api/tokens``: keys for servers, and tokens that they ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from greenroom.api.description import BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import Operator, address_of, checked_user_id, server_with, tenant_for
from greenroom.api.identity import Identity, expiry_of
from greenroom.api.operators import AuditDep
from greenroom.errors import BadRequest, NotFound
from greenroom.ports.audit import Act, Actor, ActorKind
from greenroom.ports.clock import Clock
from greenroom.ports.keys import ApiKey
from greenroom.service.keys import Keys, key_line
from greenroom.service.rates import Rates
from greenroom.session.rates import Rate
from greenroom.wire import keys as w
from greenroom.wire.translate import rfc3339

router = APIRouter(prefix="/api", tags=["keys"])

_DAY_S = 86_400.0


def _keys(request: Request) -> Keys:
    keys: Keys = request.app.state.keys
    return keys


KeysDep = Annotated[Keys, Depends(_keys)]
Minter = Annotated[ApiKey, Depends(server_with(w.Scope.TOKENS))]


@router.post(
    "/operator/keys",
    status_code=201,
    responses=refusals(*BY_THE_OPERATORS_DOOR, BadRequest),
)
async def make(body: w.KeyBody, operator: Operator, keys: KeysDep, request: Request) -> w.KeyMade:
    """Make a key. It is in this answer, and never in another."""
    lifetime_s = None if body.expires_in_days is None else body.expires_in_days * _DAY_S
    secret, key = await keys.make(operator, body.name, body.scopes, body.tenant, lifetime_s)
    return w.KeyMade(key=secret, line=key_line(key, _now(request)))


@router.get("/operator/keys", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def listed(operator: Operator, keys: KeysDep, request: Request) -> w.KeyLines:
    """Every key, the newest first, also those that are no good any more."""
    now = _now(request)
    return w.KeyLines(keys=[key_line(key, now) for key in await keys.listed()])


@router.delete(
    "/operator/keys/{key_id}",
    status_code=204,
    responses=refusals(*BY_THE_OPERATORS_DOOR, NotFound),
)
async def revoke(key_id: str, operator: Operator, keys: KeysDep) -> None:
    """Take a key back, at once and for good."""
    await keys.revoke(operator, key_id)


@router.post(
    "/tokens",
    status_code=201,
    responses=refusals(*BY_THE_OPERATORS_DOOR, BadRequest),
)
async def mint(body: w.TokenBody, key: Minter, audit: AuditDep, request: Request) -> w.TokenAnswer:
    """A short-lived token for a user whom the application has signed in. For servers."""
    rates: Rates = request.app.state.rates
    rates.take(Rate.TOKENS, key.id)
    user_id = checked_user_id(body.user_id)
    actor = Actor(ActorKind.KEY, key.name, address_of(request))
    facts = {"key": key.id, "lifetimeS": body.lifetime_s}
    async with audit.of(actor, Act.USER_TOKEN, user_id, **facts) as doing:
        tenant = tenant_for(key, body.tenant)
        doing.detail["tenant"] = tenant
        identity: Identity = request.app.state.identity
        token = identity.token_for(user_id, body.lifetime_s, tenant)
    return w.TokenAnswer(
        token=token,
        user_id=user_id,
        tenant=tenant,
        expires_at=rfc3339(expiry_of(token)),
        expires_in_s=body.lifetime_s,
    )


def _now(request: Request) -> float:
    clock: Clock = request.app.state.clock
    return clock.now()
