"""The rooms' own door over HTTP, for pages in tests: no part of Daily's API, and no audio.

What a page's double of daily-js does here (`@greenroom/client/testing`, ``DailyStandInSide``), a
test in this process does by `DailyStandIn.join`, `say` and `leave`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from greenroom.testing.daily.people import JoinRefused, Participant
from greenroom.testing.daily.refusals import Refusal
from greenroom.testing.daily.shapes import MAX_APP_MESSAGE_BYTES

if TYPE_CHECKING:
    from greenroom.testing.daily.stand_in import DailyStandIn

ROOT = "/people"
# What daily-js tells a page whose join was refused (`DailyFatalErrorType` in its types).
_TOLD = {
    "no_room": "no-room",
    "not_yet": "nbf-room",
    "expired": "exp-room",
    "full": "meeting-full",
}
_OTHERWISE = "not-allowed"


def door(stand_in: DailyStandIn) -> BaseRoute:
    """The routes below `ROOT`. Pages of every origin may use them: nobody but this machine can."""
    people = _People(stand_in)
    return Mount(
        ROOT,
        routes=[
            Route("/{room}", people.join, methods=["POST"]),
            Route("/{room}/{id}", people.look, methods=["GET"]),
            Route("/{room}/{id}", people.leave, methods=["DELETE"]),
            Route("/{room}/{id}/say", people.say, methods=["POST"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"]
            )
        ],
    )


class _People:
    """What each path does."""

    def __init__(self, stand_in: DailyStandIn) -> None:
        self._daily = stand_in

    async def join(self, request: Request) -> JSONResponse:
        """``{token?, userName?}`` → ``{me, others}``; 403 ``{why}`` in daily-js's words."""
        wish = json.loads(await request.body())
        try:
            one = self._daily.join(
                request.path_params["room"], wish.get("token"), user_name=wish.get("userName")
            )
        except JoinRefused as refused:
            return JSONResponse({"why": _TOLD.get(refused.reason, _OTHERWISE)}, status_code=403)
        return JSONResponse({"me": _seen(one), "others": self._others(one)})

    async def look(self, request: Request) -> JSONResponse:
        """``?heard=N`` → ``{others, messages, out}``: the messages after the first N."""
        one = self._found(request)
        if one is None:
            return JSONResponse({"others": [], "messages": [], "out": "no-room"})
        self._daily.settle()
        heard = int(request.query_params.get("heard", "0"))
        messages = [
            {"data": data, "fromId": sender}
            for data, sender in list(zip(one.inbox, one.senders, strict=True))[heard:]
        ]
        out = None if one.present else self._why_out(one)
        return JSONResponse({"others": self._others(one), "messages": messages, "out": out})

    async def say(self, request: Request) -> JSONResponse:
        """``{data, to}`` → 204; 400 if nobody could hear it, or it is larger than 4 kB."""
        one, wish = self._found(request), json.loads(await request.body())
        too_large = len(json.dumps(wish["data"]).encode()) > MAX_APP_MESSAGE_BYTES
        if one is None or not one.present or too_large:
            return JSONResponse({"why": "not said"}, status_code=400)
        try:
            self._daily.say(one, wish["data"], wish.get("to", "*"))
        except Refusal as refusal:
            return JSONResponse({"why": refusal.info}, status_code=400)
        return JSONResponse({})

    async def leave(self, request: Request) -> JSONResponse:
        """Go; whoever has gone is gone."""
        if (one := self._found(request)) is not None:
            self._daily.leave(one)
        return JSONResponse({})

    def _found(self, request: Request) -> Participant | None:
        room = self._daily.book.rooms.get(request.path_params["room"])
        people = room.people if room else []
        return next((one for one in people if one.id == request.path_params["id"]), None)

    def _others(self, one: Participant) -> list[dict[str, Any]]:
        room = self._daily.book.rooms.get(one.room)
        return [_seen(other) for other in (room.present() if room else []) if other is not one]

    def _why_out(self, one: Participant) -> str:
        """Why somebody is out who has not left by this door, as far as times tell."""
        at = one.left_at or 0.0
        room = self._daily.book.rooms.get(one.room)
        if one.must_go_at is not None and one.must_go_at <= at:
            return "exp-token"
        expires = room.properties.get("exp") if room else None
        return "exp-room" if expires is not None and expires <= at else "ejected"


def _seen(one: Participant) -> dict[str, Any]:
    return {"id": one.id, "userId": one.user_id, "userName": one.user_name}
