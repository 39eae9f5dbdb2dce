"""A domain of Daily's in this process: rooms, who is in them, and what its API answers."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
from starlette.applications import Starlette

from greenroom.testing.daily import tokens
from greenroom.testing.daily.app import build_app
from greenroom.testing.daily.faults import Faults
from greenroom.testing.daily.limits import Limits, Pace
from greenroom.testing.daily.people import JoinRefused, Participant
from greenroom.testing.daily.refusals import (
    Refusal,
    invalid,
    no_header,
    not_found,
    wrong_key,
)
from greenroom.testing.daily.rooms import Room, RoomBook
from greenroom.testing.daily.webhooks import Webhooks

# How late presence may be (https://docs.daily.co/reference/rest-api/presence): the worst of it.
PRESENCE_LATE_S = 15.0


class DailyStandIn:
    """Daily's REST API, its rooms and its webhooks, as strict, as late and as limited as Daily is.

    What people in rooms do is done by `join`, `leave` and `say`. Nothing happens by itself: time
    is the clock that is passed in, and webhooks go out by `webhooks.deliver`.

    Args:
        api_key: The key that it accepts; a new one if None.
        domain: The domain's name: rooms are at ``https://{domain}.daily.co/{room}``.
        now: Seconds since the epoch.
        limits: How often it lets itself be asked.
        client: Calls webhooks; one of its own if None.

    Attributes:
        app: The API as an ASGI application, below ``/v1``.
        api_keys: The keys that are good now; take one out to revoke it.
        faults: What is to go wrong.
        webhooks: Endpoints, and what is on its way to them.
        asked: Each request that was made: ``(method, path)``, oldest first.
        presence_late_s: How late presence is seen.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        domain: str = "stand-in",
        now: Callable[[], float] = time.time,
        limits: Limits | None = None,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        limits = limits or Limits()
        self.api_key = api_key or secrets.token_hex(32)
        self.api_keys = {self.api_key}
        self.domain = domain
        self.domain_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{domain}.daily.co"))
        self.presence_late_s = PRESENCE_LATE_S
        self.faults = Faults()
        self.asked: list[tuple[str, str]] = []
        self._now = now
        self._client = client or httpx.AsyncClient()
        self.webhooks = Webhooks(self._client, self.domain_id, now)
        self.book = RoomBook(f"https://{domain}.daily.co", now)
        self._paces = {False: Pace(limits.most_per_s), True: Pace(limits.heavy_per_s)}
        self.app: Starlette = build_app(self)

    def now(self) -> float:
        """Seconds since the epoch, by the clock that was passed in."""
        return self._now()

    async def close(self) -> None:
        """Let go of the connections to webhooks' endpoints."""
        await self._client.aclose()

    # ---- what people do

    def join(
        self, room: str, token: str | None = None, *, user_name: str | None = None
    ) -> Participant:
        """Come into a room, as a page or a bot does with Daily's call object.

        Args:
            room: Its name.
            token: A meeting token, by REST or self-signed.
            user_name: What they call themselves; it changes nothing about who they are.

        Raises:
            JoinRefused: ``no_room``, ``not_yet``, ``expired``, ``bad_token``, ``wrong_room``,
                ``not_allowed`` (private, and no token), ``banned`` or ``full``.
        """
        found = self._room_to_join(room)
        says = self._says(found, token)
        self.settle()
        if found.privacy == "private" and token is None:
            raise JoinRefused("not_allowed")
        user_id = says.get("user_id") or str(uuid.uuid4())
        if user_id in found.banned:
            raise JoinRefused("banned")
        most = found.properties.get("max_participants")
        if most is not None and len(found.present()) >= most:
            raise JoinRefused("full")
        if found.properties.get("enforce_unique_user_ids"):
            for older in [one for one in found.present() if one.user_id == user_id]:
                self.leave(older)
        return self._enter(found, user_id, user_name or says.get("user_name") or "guest", says)

    def leave(self, participant: Participant) -> None:
        """Go, or be gone: the two look the same from outside."""
        room = self.book.rooms.get(participant.room)
        if not participant.present:
            return
        participant.left_at = self.now()
        told = participant.told()
        duration = participant.left_at - participant.joined_at
        self.webhooks.tell(
            "participant.left", {**told, "duration": duration}, f"ptcpt-left-{participant.id}"
        )
        if room is not None and not room.present():
            room.banned.clear()
            meeting = {"meeting_id": participant.meeting_id, "room": room.name}
            times = {"start_ts": room.met_at, "end_ts": participant.left_at}
            self.webhooks.tell("meeting.ended", {**meeting, **times}, f"mtg-end-{room.meeting_id}")
            room.meeting_id = None

    def say(self, participant: Participant, data: dict[str, Any], recipient: str = "*") -> None:
        """Send an app-message to the others (or to one of them, by id)."""
        self._pass_on(participant.room, participant.id, data, recipient)

    def settle(self) -> None:
        """Have those go whose time, by token or room, has come."""
        for room in list(self.book.rooms.values()):
            for participant in room.present():
                if self._must_go(room, participant):
                    self.leave(participant)

    # ---- what the API does; see `app`

    def admit(self, authorization: str | None, method: str, path: str) -> None:
        """Let a request in, or not: by its key, and by how many came before it.

        Raises:
            Refusal: 400 without a key, 401 with a wrong one, 429 when it is too many.
        """
        self.asked.append((method, path))
        scheme, _, key = (authorization or "").partition(" ")
        if scheme != "Bearer" or not key:
            raise no_header()
        if key not in self.api_keys:
            raise wrong_key()
        heavy = (method == "DELETE" and path.startswith("/rooms/")) or (method, path) == (
            "GET",
            "/rooms",
        )
        self._paces[heavy].take(self.now())

    def eject(self, name: str, ids: list[str], user_ids: list[str], *, ban: bool) -> list[str]:
        """Put people out; whoever is not there is no error."""
        room = self.book.get(name)
        self.settle()
        going = [one for one in room.present() if one.id in ids or one.user_id in user_ids]
        if ban:
            room.banned.update(user_ids)
        for one in going:
            self.leave(one)
        return [one.id for one in going]

    def presence(self, name: str) -> list[dict[str, Any]]:
        """Who is in a room, as it was `presence_late_s` ago."""
        room = self.book.get(name)
        self.settle()
        now = self.now()
        at = now - self.presence_late_s
        return [one.shown(now) for one in room.people if one.was_present(at)]

    def tell(self, name: str, data: dict[str, Any], recipient: str) -> None:
        """Send an app-message from outside."""
        room = self.book.get(name)
        if not room.present():
            raise not_found(f"room {name} does not exist or has no meeting")
        self._pass_on(name, None, data, recipient)

    def delete(self, name: str) -> dict[str, Any]:
        """Take a room away, with everybody in it."""
        room = self.book.get(name)
        for participant in room.present():
            self.leave(participant)
        del self.book.rooms[name]
        return {"deleted": True, "name": name}

    # ---- within

    def _room_to_join(self, name: str) -> Room:
        room = self.book.rooms.get(name)
        if room is None:
            raise JoinRefused("no_room")
        now = self.now()
        if room.properties.get("nbf", now) > now:
            raise JoinRefused("not_yet")
        if room.properties.get("exp", now + 1) <= now:
            raise JoinRefused("expired")
        return room

    def _says(self, room: Room, token: str | None) -> dict[str, Any]:
        if token is None:
            return {}
        try:
            says = self.read_token(token)
        except Refusal:
            raise JoinRefused("bad_token") from None
        if says.get("room_name", room.name) != room.name:
            raise JoinRefused("wrong_room")
        return says

    def read_token(self, token: str) -> dict[str, Any]:
        """What a token says, by long names.

        Raises:
            Refusal: It is not good.
        """
        return tokens.properties_of(
            token, keys=self.api_keys, domain_id=self.domain_id, now=self.now()
        )

    def _enter(self, room: Room, user_id: str, user_name: str, says: dict[str, Any]) -> Participant:
        now = self.now()
        if room.meeting_id is None:
            room.meeting_id, room.met_at = str(uuid.uuid4()), now
            meeting = {"start_ts": now, "meeting_id": room.meeting_id, "room": room.name}
            self.webhooks.tell("meeting.started", meeting, f"mtg-start-{room.meeting_id}")
        participant = Participant(
            room.name,
            room.meeting_id,
            user_id,
            user_name,
            bool(says.get("is_owner")),
            now,
            must_go_at=_must_go_at(room, says, now),
        )
        room.people.append(participant)
        self.webhooks.tell("participant.joined", participant.told(), f"ptcpt-join-{participant.id}")
        return participant

    def _must_go(self, room: Room, participant: Participant) -> bool:
        now = self.now()
        by_room = room.properties.get("eject_at_room_exp") and room.properties.get("exp")
        times = [at for at in (participant.must_go_at, by_room) if at]
        return any(at <= now for at in times)

    def _pass_on(self, name: str, sender: str | None, data: dict[str, Any], recipient: str) -> None:
        others = [one for one in self.book.rooms[name].present() if one.id != sender]
        to = [one for one in others if recipient in ("*", one.id)]
        if recipient != "*" and not to:
            raise invalid(f"participant {recipient} not found")
        for one in to:
            one.inbox.append(data)
            one.senders.append(sender or "")


def _must_go_at(room: Room, says: dict[str, Any], now: float) -> float | None:
    """A token's word on ejection holds against the room's."""
    times: list[float] = []
    if says.get("eject_at_token_exp") and "exp" in says:
        times.append(says["exp"])
    elapsed = says.get("eject_after_elapsed", room.properties.get("eject_after_elapsed"))
    if elapsed is not None:
        times.append(now + elapsed)
    return min(times, default=None)
