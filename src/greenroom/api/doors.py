"""Through which door who may go: users and visitors, applications' servers, operators.

A server shows its API key and names, in ``X-Greenroom-User``, the user for whom it acts. It may go
where its key's scopes say, and every act in a user's name is on the audit log. Whoever is a user
themselves cannot name another.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request, Response

from greenroom.api.identity import Asking, Identity, bearer_of
from greenroom.errors import BadRequest, Forbidden, NoPublicKey, Unauthorized
from greenroom.ports.audit import Act, Actor, ActorKind
from greenroom.ports.keys import ApiKey
from greenroom.service.audit import Audit
from greenroom.service.keys import Keys, is_key
from greenroom.service.names import new_id
from greenroom.service.rates import Rates
from greenroom.session.model import DEFAULT_TENANT
from greenroom.session.rates import Rate
from greenroom.wire.keys import MAX_TENANT_CHARS, MAX_USER_ID_CHARS, Scope

USER_HEADER = "x-greenroom-user"
TENANT_HEADER = "x-greenroom-tenant"
# A proxy may say anything; an IPv6 address with a zone is shorter than this.
_MAX_ADDRESS_CHARS = 64


@dataclass(frozen=True, slots=True)
class Door:
    """What a door asks of whoever goes through.

    Attributes:
        scope: What a server's key must have; users need nothing but to be themselves.
        act: What the audit log calls it when a server does it for a user; None: it changes nothing.
        rate: How often a user may; None: as often as they like.
    """

    scope: Scope
    act: Act | None = None
    rate: Rate | None = None


START = Door(Scope.START, Act.START, Rate.STARTS)
CONNECT = Door(Scope.START, Act.CONNECT, Rate.OFFERS)
# Candidates belong to an offer that was let in, and come in a bunch.
TRICKLE = Door(Scope.START)
READ = Door(Scope.READ)
FOLLOW = Door(Scope.READ, Act.FOLLOW, Rate.TICKETS)
# Which side, and whom one may choose: a page asks before each click, and again when it is loaded.
DECIDE = Door(Scope.READ, rate=Rate.DECISIONS)
MUTE = Door(Scope.CONTROL, Act.MUTE, Rate.CONTROLS)
PAUSE = Door(Scope.CONTROL, Act.PAUSE, Rate.CONTROLS)
MESSAGE = Door(Scope.CONTROL, Act.MESSAGE, Rate.MESSAGES)
SAY = Door(Scope.DIRECT, Act.SAY, Rate.MESSAGES)
CONTEXT = Door(Scope.DIRECT, Act.CONTEXT, Rate.MESSAGES)
ADJUST = Door(Scope.DIRECT, Act.ADJUST, Rate.MESSAGES)
ANSWER_TOOL = Door(Scope.CONTROL, Act.ANSWER_TOOL, Rate.CONTROLS)
DELETE_NOTE = Door(Scope.CONTROL, Act.DELETE_NOTE, Rate.CONTROLS)
# Nobody is kept from ending what runs; a server by nothing but the sum of all its calls.
END = Door(Scope.END, Act.END)


def through(door: Door) -> Callable[[Request, Response], AsyncIterator[Asking]]:
    """Dependency: who goes through this door, for as long as it takes."""

    async def enter(request: Request, response: Response) -> AsyncIterator[Asking]:
        asking = await whoever(request, response)
        async with passing(request, asking, door):
            yield asking

    return enter


async def whoever(request: Request, response: Response) -> Asking:
    """Dependency: as `known`; a visitor who has no name yet is given one."""
    asking = await known(request)
    if asking is None:
        identity: Identity = request.app.state.identity
        asking = identity.greet(request, response)
    return asking


async def known(request: Request) -> Asking | None:
    """Who is asking, by token, key or cookie; None: a visitor who has no name yet.

    Raises:
        Unauthorized: What they show is not good, or is nothing where visitors are not let in.
        BadRequest: A server does not name its user.
        Forbidden: A server names a user of another tenant than its key's, or somebody who is no
            server names a user.
    """
    if (server := await server_for(request)) is not None:
        return server
    identity: Identity = request.app.state.identity
    asking = await identity.known(request)
    if USER_HEADER in request.headers or TENANT_HEADER in request.headers:
        raise Forbidden("Only a server may name a user, by its API key. You are yourself.")
    return asking


async def server_for(
    request: Request, user_id: str | None = None, tenant: str | None = None
) -> Asking | None:
    """The server that acts for a user, as its headers or this name them; None: it is no server.

    Raises:
        Unauthorized: Its key is not good.
        BadRequest: It does not name its user, or two.
        Forbidden: It names a user of another tenant than its key's.
    """
    token = bearer_of(request)
    if not is_key(token):
        return None
    key = await _key_of(request, token)
    return Asking(*_named(request, key, user_id, tenant), key=key)


async def unnamed(request: Request) -> Asking:
    """Whoever shows a key or a user's token, on a wire whose servers name no user.

    A key whose user is not named acts for somebody new each time: no session is found again by
    who its user is, and all other limits hold.

    Raises:
        NoPublicKey: They show nothing; visitors are not let in here.
        Unauthorized: What they show is not good.
        GreenroomError: As `known`, of a server that does name its user.
    """
    token = bearer_of(request)
    if not token:
        raise NoPublicKey("Show a public API key: Authorization: Bearer gr_…")
    if is_key(token) and USER_HEADER not in request.headers:
        key = await _key_of(request, token)
        tenant = tenant_for(key, _header(request, TENANT_HEADER) or None)
        return Asking(new_id("cloud"), tenant, key=key)
    asking = await known(request)
    assert asking is not None  # they show a token
    return asking


@asynccontextmanager
async def passing(request: Request, asking: Asking, door: Door) -> AsyncIterator[None]:
    """Let somebody through a door whom we know.

    Raises:
        RateLimited: They come too often.
        Forbidden: Their key does not open it.
    """
    rates: Rates = request.app.state.rates
    if door.rate is not None:
        rates.take(door.rate, _whose(request, asking))
    key = asking.key
    if key is None or door.act is None:
        _require(key, door.scope)
        yield
        return
    audit: Audit = request.app.state.audit
    facts = {"key": key.id, "user": asking.user_id, "tenant": asking.tenant}
    actor = Actor(ActorKind.KEY, key.name, address_of(request))
    session_id = request.path_params.get("session_id", "")
    async with audit.of(actor, door.act, session_id, **facts) as doing:
        request.state.doing = doing
        _require(key, door.scope)
        yield


def note_session(request: Request, session_id: str) -> None:
    """Say which session an act is about, where the address does not."""
    note_target(request, session_id)


def note_target(request: Request, target: str) -> None:
    """Say what an act is about, if it is no session."""
    doing = getattr(request.state, "doing", None)
    if doing is not None:
        doing.target = target


def note_facts(request: Request, **facts: object) -> None:
    """Say more of an act; never what was said."""
    doing = getattr(request.state, "doing", None)
    if doing is not None:
        doing.detail.update(facts)


# ---- servers


def server_with(scope: Scope) -> Callable[[Request], Awaitable[ApiKey]]:
    """Dependency: the key of a server that speaks for itself, and may do this."""

    async def enter(request: Request) -> ApiKey:
        return await server_of(request, scope)

    return enter


async def server_of(request: Request, *scopes: Scope) -> ApiKey:
    """The key of a server that speaks for itself, and may do one of these.

    Raises:
        Unauthorized: It shows no key, or none that is good.
        Forbidden: Its key may do none of it.
    """
    token = bearer_of(request)
    if not is_key(token):
        raise Unauthorized(f"This is for servers: it needs an API key with {scopes[0].value}.")
    key = await _key_of(request, token)
    _require(key, *scopes)
    return key


def tenant_for(key: ApiKey, asked: str | None) -> str:
    """The tenant that a key acts in.

    Raises:
        Forbidden: It is bound to another.
    """
    if key.tenant is None:
        return asked or DEFAULT_TENANT
    if asked not in (None, key.tenant):
        raise Forbidden("This API key is bound to another tenant.")
    return key.tenant


def checked_user_id(user_id: str) -> str:
    """A user's id as a server gives it.

    Raises:
        BadRequest: It cannot be one.
    """
    if not 0 < len(user_id) <= MAX_USER_ID_CHARS or not user_id.isprintable():
        raise BadRequest(f"A user's id is 1 to {MAX_USER_ID_CHARS} printable characters.")
    return user_id


async def _key_of(request: Request, token: str) -> ApiKey:
    keys: Keys = request.app.state.keys
    rates: Rates = request.app.state.rates
    key = await keys.recognise(token)
    rates.take(Rate.KEY_CALLS, key.id)
    return key


def _named(
    request: Request, key: ApiKey, user_id: str | None, tenant: str | None
) -> tuple[str, str]:
    """The user for whom a server acts, and their tenant."""
    user_id = _one_of(_header(request, USER_HEADER), user_id)
    if not user_id:
        raise BadRequest("Name the user for whom you act, in the header X-Greenroom-User.")
    tenant = _one_of(_header(request, TENANT_HEADER), tenant) or None
    if tenant is not None and len(tenant) > MAX_TENANT_CHARS:
        raise BadRequest(f"A tenant's name has at most {MAX_TENANT_CHARS} characters.")
    return checked_user_id(user_id), tenant_for(key, tenant)


def _one_of(by_header: str, by_body: str | None) -> str:
    if by_header and by_body and by_header != by_body:
        raise BadRequest("The header and the body name two. Leave one of them out.")
    return by_header or by_body or ""


def _header(request: Request, name: str) -> str:
    """A header's value, percent-encoded as it may be: headers carry only ASCII safely."""
    try:
        return unquote(request.headers.get(name, ""), errors="strict").strip()
    except UnicodeDecodeError:
        raise BadRequest(f"The header {name} is not percent-encoded UTF-8.") from None


def _require(key: ApiKey | None, *scopes: Scope) -> None:
    if key is not None and not key.scopes.intersection(scopes):
        raise Forbidden(f"This API key may not: it lacks the scope {scopes[0].value}.")


# ---- operators


async def operator_of(request: Request, *scopes: Scope) -> Actor:
    """The operator who is asking: by a token of theirs, or a key that may do one of these.

    Raises:
        Unauthorized: It is neither; a user's token is not enough.
        Forbidden: The key may do none of it.
    """
    token = bearer_of(request)
    if not token:
        raise Unauthorized("This is for operators: make a token by “greenroom token --operator”.")
    if not is_key(token):
        identity: Identity = request.app.state.identity
        return identity.operator_of(token, address_of(request))
    key = await _key_of(request, token)
    _require(key, *scopes, Scope.OPERATE)
    return Actor(ActorKind.KEY, key.name, address_of(request))


def operator_with(scope: Scope) -> Callable[[Request], Awaitable[Actor]]:
    """Dependency: the operator who is asking, or a server whose key may do this."""

    async def enter(request: Request) -> Actor:
        return await operator_of(request, scope)

    return enter


Operator = Annotated[Actor, Depends(operator_with(Scope.OPERATE))]


# ---- where they come from


def address_of(request: Request) -> str:
    """The address that asks; a proxy that the settings trust tells whose it was."""
    return request.client.host[:_MAX_ADDRESS_CHARS] if request.client else "unknown"


def network_of(request: Request) -> str:
    """The address that asks, as limits know it: of IPv6 the network, which is one customer's."""
    address = address_of(request)
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def _whose(request: Request, asking: Asking) -> str:
    # A visitor without a name gets another one each time.
    return f"at {network_of(request)}" if asking.is_new else f"{asking.tenant}/{asking.user_id}"
