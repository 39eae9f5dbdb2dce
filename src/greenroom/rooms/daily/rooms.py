"""The rooms themselves: made once, private, kept while in use, emptied and let expire.

A room is never deleted: that is limited to two a second, and takes the room from under whoever has
just come in. It expires instead, and its name is made ready again at the user's next call.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import structlog

from greenroom.errors import RoomNotPrivate, RoomsUnavailable
from greenroom.ports.clock import Clock
from greenroom.ports.open_rooms import Door, door_of
from greenroom.ports.rooms import FOR_TWO, Guest, Occupant, Party, Ready, Shape
from greenroom.rooms.daily import tokens
from greenroom.rooms.daily.client import DailyClient, NotThere, Rejected, domain_of
from greenroom.rooms.daily.shape import AHEAD_S, Recording, changes, differs, properties
from greenroom.wire.link import RoomKind, RoomSpec

log = structlog.get_logger("greenroom.rooms.daily")

_ROOM_PATH = re.compile(r"/([A-Za-z0-9_-]{1,128})/?")
# Making, losing and making again: whoever takes a room away as often does it on purpose.
MOST_ROUNDS = 3
# A room that was made ready a moment ago, for the bot, need not be asked about again for the user.
READY_FOR_S = 5.0

# Two clocks, ours and Daily's, may differ by so much: past for us must be past for them.
CLOCKS_DIFFER_S = 600.0


class DailyRooms:
    """Implements `greenroom.ports.rooms.Rooms` on a domain of Daily's.

    Args:
        client: Speaks to Daily.
        api_key: The domain's key; signs tokens.
        clock: The time.
        domain: The domain's name; None: whichever the key belongs to.
        recording: What Daily may record; nothing if None.
    """

    kind = RoomKind.DAILY
    tells = True

    def __init__(
        self,
        client: DailyClient,
        api_key: str,
        clock: Clock,
        *,
        domain: str | None = None,
        recording: Recording | None = None,
    ) -> None:
        self._client = client
        self._api_key = api_key
        self._clock = clock
        self._domain = domain
        self._domain_id: str | None = None
        self._recording = recording
        self.records = recording is not None
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # By room, until when it lasts, and when we last saw that it is as it should be.
        self._exp: dict[str, float] = {}
        self._ready_at: dict[str, float] = {}
        self._made: set[str] = set()

    async def domain(self) -> tuple[str, str]:
        """The name and id of the key's domain; asked once.

        Raises:
            RoomsRefused: The key is not good, or another domain's than was set.
        """
        if self._domain is None or self._domain_id is None:
            self._domain, self._domain_id = await domain_of(self._client, self._domain)
        return self._domain, self._domain_id

    # ---- making ready

    async def ensure(self, name: str, shape: Shape = FOR_TWO) -> Ready:
        """See `Rooms.ensure`."""
        async with self._lock(name):
            return await self._ensure(name, shape)

    async def _ensure(self, name: str, shape: Shape) -> Ready:
        exp = self._clock.now() + AHEAD_S
        wanted = properties(exp, shape, self._recording)
        for _ in range(MOST_ROUNDS):
            made = await self._created(name, wanted)
            room = made or await self._found(name, wanted)
            if room is not None:
                _check_door(name, room)
                now = self._clock.now()
                self._exp[name] = float(room["config"].get("exp") or exp)
                self._ready_at[name] = now
                return Ready(reused=made is None, until=self._exp[name])
        raise RoomsUnavailable("The room is taken away again and again.")

    async def _created(self, name: str, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """The new room; None: there is one, of ours or of whoever was faster."""
        body = {"name": name, "privacy": _privacy(name), "properties": wanted}
        try:
            room: dict[str, Any] = await self._client.post("/rooms", body)
        except Rejected as rejected:
            # Daily has no code of its own for it; the look that follows decides.
            if "exist" not in rejected.info:
                log.warning("room.rejected", room=_shown(name), info=rejected.info)
                raise
            return None
        self._made.add(name)
        log.info("room.made", room=_shown(name))
        return room

    async def _found(self, name: str, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """The room that is there, made like ours if it is not; None: it is gone again."""
        try:
            room: dict[str, Any] = await self._client.get(f"/rooms/{name}")
            public = room.get("privacy") != _privacy(name)
            if public:
                log.warning("room.was_public", room=_shown(name))
            lasts = float(room.get("config", {}).get("exp") or 0) - self._clock.now()
            if public or differs(room, wanted) or lasts < AHEAD_S / 2:
                changed = {"privacy": _privacy(name), "properties": changes(room, wanted)}
                room = await self._client.post(f"/rooms/{name}", changed)
            if public:
                await self._put_strangers_out(name)
        except NotThere:
            return None
        return room

    async def _put_strangers_out(self, name: str) -> None:
        """Whoever came in while the room was public, as far as presence shows them yet."""
        people = await self._client.get(f"/rooms/{name}/presence")
        ids = [
            str(one["id"]) for one in people["data"] if not self.party_of(name, str(one["userId"]))
        ]
        await self._eject(name, ids=ids)

    # ---- letting in

    def describe(self, name: str) -> RoomSpec:
        """See `Rooms.describe`."""
        url = f"https://{self._domain}.daily.co/{name}" if self._domain and name else None
        return RoomSpec(kind=RoomKind.DAILY, name=name, url=url)

    async def name_at(self, url: str) -> str | None:
        """See `Rooms.name_at`."""
        domain, _ = await self.domain()
        try:
            parts = urlsplit(url.strip())
        except ValueError:
            return None
        found = _ROOM_PATH.fullmatch(parts.path)
        ours = (parts.scheme, parts.netloc.lower()) == ("https", f"{domain.lower()}.daily.co")
        return found[1] if ours and found else None

    async def admit(self, name: str, guest: Guest, shape: Shape = FOR_TWO) -> RoomSpec:
        """See `Rooms.admit`."""
        _, domain_id = await self.domain()
        if guest.party is Party.USER:
            async with self._lock(name):
                await self._make_place(name, guest, shape)
        now = self._clock.now()
        token = tokens.signed(self._api_key, domain_id, name, guest, now)
        return self.describe(name).model_copy(update={"token": token, "video": guest.video})

    async def _make_place(self, name: str, guest: Guest, shape: Shape) -> None:
        """A page that comes back must not find its own ghost in its place: they are counted."""
        age_s = self._clock.now() - self._ready_at.get(name, -READY_FOR_S)
        if not 0 <= age_s < READY_FOR_S:
            await self._ensure(name, shape)
        if name in self._made:
            self._made.discard(name)  # nobody has been in it yet
            return
        try:
            await self._eject(name, user_ids=[self.id_of(name, guest)])
        except NotThere:  # somebody has deleted it since, and nobody is in it
            await self._ensure(name, shape)
            self._made.discard(name)

    async def keep(self, shapes: Mapping[str, Shape]) -> None:
        """See `Rooms.keep`."""
        self._forget_all_but(set(shapes))
        now = self._clock.now()
        for name, shape in shapes.items():
            if self._exp.get(name, 0.0) - now < AHEAD_S / 2:
                await self.ensure(name, shape)

    def _forget_all_but(self, kept: set[str]) -> None:
        """Of rooms that are in use no more, nothing need be known."""
        recent = {room for room, at in self._ready_at.items() if self._clock.now() - at < AHEAD_S}
        for room in (self._exp.keys() | self._ready_at.keys()) - kept - recent:
            self._forget(room)

    def _forget(self, name: str) -> None:
        self._exp.pop(name, None)
        self._ready_at.pop(name, None)
        self._made.discard(name)

    # ---- who is there

    async def occupants(self) -> Mapping[str, Sequence[Occupant]]:
        """See `Rooms.occupants`: one call for all rooms, up to 15 s late. Ask no faster."""
        told: dict[str, list[dict[str, Any]]] = await self._client.get("/presence")
        return {
            name: [self._occupant(name, one) for one in people] for name, people in told.items()
        }

    def _occupant(self, name: str, told: dict[str, Any]) -> Occupant:
        user_id = str(told.get("userId", ""))
        return Occupant(str(told["id"]), self.party_of(name, user_id), user_id)

    def id_of(self, name: str, guest: Guest) -> str:
        """See `Rooms.id_of`."""
        return tokens.user_id_of(name, guest.party, guest.person)

    def party_of(self, name: str, user_id: str) -> Party | None:
        """See `Rooms.party_of`: in an open room the user is whoever is not the bot."""
        known = tokens.party_of(name, user_id)
        return Party.USER if known is None and door_of(name) is Door.OPEN else known

    # ---- closing

    async def close(self, name: str) -> None:
        """See `Rooms.close`: it expires first, so that nobody comes back while others go."""
        async with self._lock(name):
            self._forget(name)
            try:
                past = {"properties": {"exp": int(self._clock.now() - CLOCKS_DIFFER_S)}}
                await self._client.post(f"/rooms/{name}", past)
                people = await self._client.get(f"/rooms/{name}/presence")
                ids = [str(one["id"]) for one in people["data"]]
                # Presence is late; of ours we need not be told who they are.
                ours = [tokens.user_id_of(name, party) for party in Party]
                await self._eject(name, ids=ids, user_ids=ours)
            except NotThere:
                return  # it has expired long since

    async def aclose(self) -> None:
        """See `Rooms.aclose`."""
        await self._client.close()

    async def _eject(
        self, name: str, *, ids: Sequence[str] = (), user_ids: Sequence[str] = ()
    ) -> None:
        if ids or user_ids:
            body: dict[str, Any] = {}
            body |= {"ids": list(ids)[:100]} if ids else {}  # more than Daily takes are never there
            body |= {"user_ids": list(user_ids)} if user_ids else {}
            await self._client.post(f"/rooms/{name}/eject", body)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


def _privacy(name: str) -> str:
    """Daily's word for who gets in."""
    return "public" if door_of(name) is Door.OPEN else "private"


def _shown(name: str) -> str:
    """A room's name for the log: that of an open one lets people in."""
    return name if door_of(name) is Door.PRIVATE else f"{name[:9]}…"


def _check_door(name: str, room: dict[str, Any]) -> None:
    if room.get("privacy") != "private" and door_of(name) is Door.PRIVATE:
        raise RoomNotPrivate("The room is public, and cannot be made private. Nobody is let in.")
