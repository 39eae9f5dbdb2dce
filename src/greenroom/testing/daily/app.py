"""Daily's REST API as an ASGI application below ``/v1``; what it does is `DailyStandIn`'s."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from greenroom.testing.daily import tokens
from greenroom.testing.daily.door import door
from greenroom.testing.daily.refusals import Refusal, invalid
from greenroom.testing.daily.shapes import (
    MAX_APP_MESSAGE_BYTES,
    CreateRoom,
    CreateToken,
    CreateWebhook,
    Eject,
    SendAppMessage,
    UpdateRoom,
    read,
)

if TYPE_CHECKING:
    from greenroom.testing.daily.stand_in import DailyStandIn

ROOT = "/v1"
_Handler = Callable[[Request], Awaitable[Any]]


def build_app(stand_in: DailyStandIn) -> Starlette:
    """The API of this stand-in, and beside it the rooms' own door for pages in tests."""
    return Starlette(routes=[*_routes(_Api(stand_in), stand_in), door(stand_in)])


def _routes(api: _Api, stand_in: DailyStandIn) -> list[Route]:
    table: list[tuple[str, str, _Handler]] = [
        ("GET", "/", api.domain),
        ("GET", "/rooms", api.list_rooms),
        ("POST", "/rooms", api.create_room),
        ("GET", "/rooms/{name}", api.get_room),
        ("POST", "/rooms/{name}", api.update_room),
        ("DELETE", "/rooms/{name}", api.delete_room),
        ("GET", "/rooms/{name}/presence", api.presence),
        ("POST", "/rooms/{name}/eject", api.eject),
        ("POST", "/rooms/{name}/send-app-message", api.send_app_message),
        ("GET", "/presence", api.presence_of_all),
        ("POST", "/meeting-tokens", api.create_token),
        ("GET", "/meeting-tokens/{token}", api.get_token),
        ("GET", "/webhooks", api.list_webhooks),
        ("POST", "/webhooks", api.create_webhook),
        ("GET", "/webhooks/{id}", api.get_webhook),
        ("DELETE", "/webhooks/{id}", api.delete_webhook),
    ]
    return [
        Route(ROOT + path, _answering(stand_in, handler), methods=[method])
        for method, path, handler in table
    ]


def _answering(stand_in: DailyStandIn, handler: _Handler) -> _Handler:
    """A handler behind the door: key, rates, faults, and refusals in Daily's shape."""

    async def answer(request: Request) -> JSONResponse:
        try:
            return JSONResponse(await _carried_out(stand_in, handler, request))
        except Refusal as refusal:
            wait_s = refusal.retry_after_s
            headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
            body = {"error": refusal.error, "info": refusal.info}
            return JSONResponse(body, status_code=refusal.status, headers=headers)

    return answer


async def _carried_out(stand_in: DailyStandIn, handler: _Handler, request: Request) -> Any:
    path = request.url.path.removeprefix(ROOT)
    stand_in.admit(request.headers.get("Authorization"), request.method, path)
    fault = stand_in.faults.take(request.method, path, stand_in.now())
    if fault is None:
        return await handler(request)
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    refusal = fault.refusal(stand_in.now())
    if refusal is None:
        return await handler(request)
    if fault.done:
        await handler(request)
    raise refusal


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError:
        raise Refusal(400, "json-parsing-error", "the body is no JSON") from None
    except ClientDisconnect:  # nobody hears it
        raise Refusal(400, "json-parsing-error", "the body did not come to its end") from None


class _Api:
    """What each path does."""

    def __init__(self, stand_in: DailyStandIn) -> None:
        self._daily = stand_in

    async def domain(self, request: Request) -> Any:
        daily = self._daily
        return {"domain_name": daily.domain, "domain_id": daily.domain_id, "config": {}}

    # ---- rooms

    async def create_room(self, request: Request) -> Any:
        return self._daily.book.create(read(CreateRoom, await _body(request))).shown()

    async def list_rooms(self, request: Request) -> Any:
        asked = request.query_params
        try:
            limit = int(asked.get("limit", "100"))
        except ValueError:
            raise invalid("parameter 'limit' must be a number") from None
        return self._daily.book.list(limit, asked.get("starting_after"), asked.get("ending_before"))

    async def get_room(self, request: Request) -> Any:
        return self._daily.book.get(request.path_params["name"]).shown()

    async def update_room(self, request: Request) -> Any:
        wish = read(UpdateRoom, await _body(request))
        return self._daily.book.update(request.path_params["name"], wish).shown()

    async def delete_room(self, request: Request) -> Any:
        return self._daily.delete(request.path_params["name"])

    # ---- who is in them

    async def presence(self, request: Request) -> Any:
        people = self._daily.presence(request.path_params["name"])
        asked = request.query_params
        for name in ("userId", "userName"):
            if name in asked:
                people = [one for one in people if one[name] == asked[name]]
        limited = people[: int(asked["limit"])] if asked.get("limit", "").isdigit() else people
        return {"total_count": len(people), "data": limited}

    async def presence_of_all(self, request: Request) -> Any:
        found = {name: self._daily.presence(name) for name in list(self._daily.book.rooms)}
        return {name: people for name, people in found.items() if people}

    async def eject(self, request: Request) -> Any:
        wish = read(Eject, await _body(request))
        name = request.path_params["name"]
        ids = self._daily.eject(name, wish.ids, wish.user_ids, ban=wish.ban)
        return {"ejectedIds": ids}

    async def send_app_message(self, request: Request) -> Any:
        wish = read(SendAppMessage, await _body(request))
        if len(json.dumps(wish.data).encode()) > MAX_APP_MESSAGE_BYTES:
            raise invalid("'data' is larger than 4 kB")
        self._daily.tell(request.path_params["name"], wish.data, wish.recipient)
        return {"sent": True}

    # ---- tokens

    async def create_token(self, request: Request) -> Any:
        wish = read(CreateToken, await _body(request))
        daily = self._daily
        _, _, key = request.headers["Authorization"].partition(" ")
        made = tokens.signed(wish.properties, key=key, domain_id=daily.domain_id, now=daily.now())
        return {"token": made}

    async def get_token(self, request: Request) -> Any:
        return self._daily.read_token(request.path_params["token"])

    # ---- webhooks

    async def create_webhook(self, request: Request) -> Any:
        return await self._daily.webhooks.create(read(CreateWebhook, await _body(request)))

    async def list_webhooks(self, request: Request) -> Any:
        return self._daily.webhooks.shown()

    async def get_webhook(self, request: Request) -> Any:
        return self._daily.webhooks.get(request.path_params["id"])

    async def delete_webhook(self, request: Request) -> Any:
        return self._daily.webhooks.delete(request.path_params["id"])
