"""Daily's stand-in over HTTP as people need it: coming in, saying something, hearing what happens.

Daily's own call objects do this over connections of their own. Whoever is in a room here asks
again and again what has happened (`happened`), and is answered as soon as something has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from greenroom.testing.daily import DailyStandIn, JoinRefused, Participant
from tests.listening import listening

# As long as a request may wait, and how often it looks meanwhile: the stand-in wakes nobody.
HELD_S = 2.0
LOOK_EVERY_S = 0.01


@dataclass
class _Seat:
    """Somebody's stay, and what they have been told of."""

    who: Participant
    known: dict[str, Participant]
    heard: int = 0
    levels: dict[str, float] = field(default_factory=dict)


class People:
    """Whoever is in the stand-in's rooms by way of HTTP.

    Attributes:
        seats: By connection; those who have left, too.
    """

    def __init__(self, daily: DailyStandIn) -> None:
        self.daily = daily
        self.seats: dict[str, _Seat] = {}
        self._levels: dict[str, float] = {}

    @property
    def app(self) -> Starlette:
        """The doors of people, and behind them Daily's own API."""
        mine = [
            Route("/join/{room}", self._join, methods=["POST"]),
            Route("/say/{id}", self._say, methods=["POST"]),
            Route("/level/{id}", self._level, methods=["POST"]),
            Route("/leave/{id}", self._leave, methods=["POST"]),
            Route("/happened/{id}", self._happened),
        ]
        open_to_all = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])
        return Starlette(
            routes=[Mount("/people", routes=mine), Mount("/", self.daily.app)],
            middleware=[open_to_all],
        )

    async def _join(self, request: Request) -> JSONResponse:
        told = await request.json()
        room = request.path_params["room"]
        try:
            who = self.daily.join(room, told.get("token"), user_name=told.get("userName"))
        except JoinRefused as refused:
            return JSONResponse({"reason": refused.reason}, status_code=403)
        others = {one.id: one for one in self._others(who)}
        self.seats[who.id] = _Seat(who, others)
        shown = [_shown(one) for one in others.values()]
        return JSONResponse({"me": _shown(who), "others": shown})

    async def _say(self, request: Request) -> JSONResponse:
        seat = self.seats[request.path_params["id"]]
        told = await request.json()
        self.daily.say(seat.who, {"message": told["data"], "sender": seat.who.id})
        return JSONResponse({})

    async def _level(self, request: Request) -> JSONResponse:
        self._levels[request.path_params["id"]] = (await request.json())["level"]
        return JSONResponse({})

    async def _leave(self, request: Request) -> JSONResponse:
        self.daily.leave(self.seats[request.path_params["id"]].who)
        return JSONResponse({})

    async def _happened(self, request: Request) -> JSONResponse:
        seat = self.seats[request.path_params["id"]]
        held_until = asyncio.get_running_loop().time() + HELD_S
        while not (found := self._news(seat)):
            if asyncio.get_running_loop().time() > held_until:
                break
            await asyncio.sleep(LOOK_EVERY_S)
        return JSONResponse(found)

    def _news(self, seat: _Seat) -> list[dict[str, Any]]:
        self.daily.settle()
        if not seat.who.present:
            return [{"out": "ejected"}]
        now = {one.id: one for one in self._others(seat.who)}
        news: list[dict[str, Any]] = [
            {"joined": _shown(one)} for one in now.values() if one.id not in seat.known
        ]
        news += seat.who.inbox[seat.heard :]
        news += [{"left": _shown(one)} for one in seat.known.values() if one.id not in now]
        seat.heard, seat.known = len(seat.who.inbox), now
        levels = {one: self._levels.get(one, 0.0) for one in now}
        if levels != seat.levels:
            seat.levels = levels
            news.append({"levels": levels})
        return news

    def _others(self, who: Participant) -> list[Participant]:
        room = self.daily.book.rooms.get(who.room)
        return [one for one in (room.present() if room else ()) if one.id != who.id]


def _shown(one: Participant) -> dict[str, str]:
    return {"id": one.id, "userId": one.user_id, "userName": one.user_name}


@asynccontextmanager
async def some_people() -> AsyncIterator[tuple[People, str]]:
    """A domain of Daily's with people in it, on loopback while the block lasts, and its address."""
    daily = DailyStandIn()
    people = People(daily)
    async with listening(people.app) as port:
        yield people, f"http://127.0.0.1:{port}"
    await daily.close()
