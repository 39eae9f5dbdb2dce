"""Calling a bot to a user's room, and sending it away: an ordinary start, in other words."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from greenroom.ports.hub import Hub
from greenroom.ports.launcher import Launcher
from greenroom.ports.rooms import Rooms
from greenroom.service.attendance import Attendance
from greenroom.service.own_rooms import Owner, OwnRooms
from greenroom.service.policies import Outside, outside
from greenroom.service.sessions import Sessions
from greenroom.service.writer import session_topic
from greenroom.session.model import Session
from greenroom.wire.link import RoomSpec

# A process on this machine is forked in tens of milliseconds. Whose module is still being imported
# has none yet, and nobody waits for that.
PID_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody calls a bot.

    Attributes:
        owner: To whose room.
        guest: They are a nameless visitor of one's own machine.
        room_url: Where it is, or what it is called; None: their own with the assistant.
        assistant: Whom they want to talk with; None: whoever's room it is.
        persistence_s: How long it waits for a vanished user; None: as long as usual.
        told: What the bot is to know.
        trace_id: 32 hex digits of whoever traces the click.
        consented: The user agrees to be recorded.
    """

    owner: Owner
    guest: bool
    room_url: str | None
    assistant: str | None
    persistence_s: float | None
    told: dict[str, Any]
    trace_id: str | None
    consented: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """A bot is there, or on its way. ``pid``: of its process; None: not on this machine, or yet."""

    session: Session
    reused: bool
    room: RoomSpec
    pid: int | None


class BotServer:
    """Translates what a bot server is asked for to the ordinary commands.

    Args:
        hub: Woken on every change of a session.
        launcher: Knows the processes.
        rooms: The rooms.
        own_rooms: Knows whose room is whose.
        sessions: Starts and ends sessions.
        attendance: Knows who is in a room already.
    """

    def __init__(
        self,
        hub: Hub,
        launcher: Launcher,
        rooms: Rooms,
        own_rooms: OwnRooms,
        sessions: Sessions,
        attendance: Attendance,
    ) -> None:
        self._hub = hub
        self._launcher = launcher
        self._rooms = rooms
        self._own_rooms = own_rooms
        self._sessions = sessions
        self._attendance = attendance

    async def join(self, call: Call) -> Joined:
        """Have a bot come to the user's room; one that is there already is found.

        The same limits, budgets and deadlines hold as for any start.

        Raises:
            ForeignRoom: It is elsewhere, or somebody else's.
            GreenroomError: As `Sessions.start`.
        """
        owner = call.owner
        begun = await self._own_rooms.call_at(owner, call.room_url)
        if begun is not None:  # a group call has its bot from its start
            return await self._joined(begun, reused=True)
        assistant = await self._own_rooms.assistant_at(owner, call.room_url, call.assistant)
        persistence = {} if call.persistence_s is None else {"persistence_s": call.persistence_s}
        started = await self._sessions.start(
            owner.user_id,
            assistant.name,
            body=call.told,
            tenant=owner.tenant,
            trace_id=call.trace_id,
            guest=call.guest,
            wishes=persistence,
            consented=call.consented,
        )
        if not started.reused:
            await self._attendance.greet(started.session)
        return await self._joined(started.session, reused=started.reused)

    async def _joined(self, session: Session, *, reused: bool) -> Joined:
        pid = await self._pid_of(session)
        room = self._rooms.describe(session.room)
        return Joined(await self._sessions.get(session.id), reused, room, pid)

    async def leave(
        self, owner: Owner, room_url: str | None, assistant_name: str | None
    ) -> Session | None:
        """Send the bot away: end the session in the user's room. None: there is none.

        Raises:
            ForeignRoom: It is elsewhere, or somebody else's.
        """
        begun = await self._own_rooms.call_at(owner, room_url)
        if begun is not None:
            return await self._sessions.stop(begun.id, owner.user_id, tenant=owner.tenant)
        assistant = await self._own_rooms.assistant_at(owner, room_url, assistant_name)
        session = await self._own_rooms.session_in(self._own_rooms.name_of(owner, assistant))
        if session is None:
            return None
        return await self._sessions.stop(session.id, owner.user_id, tenant=owner.tenant)

    async def _pid_of(self, session: Session) -> int | None:
        """The bot's process on this machine, as the launcher knows it."""
        if self._launcher.starts_cold:
            return None
        give_up_at_s = time.monotonic() + PID_WITHIN_S
        async with self._hub.subscribe(session_topic(session.id)) as waiter:
            while True:
                living = await outside(Outside.LIVING, self._launcher.living)
                pid = next((one.pid for one in living if one.launch_id == session.launch_id), 0)
                if pid or time.monotonic() >= give_up_at_s:
                    return pid or None
                if not (await self._sessions.get(session.id)).stage.is_live:
                    return None
                await waiter.wait(_LOOK_AGAIN_S)
