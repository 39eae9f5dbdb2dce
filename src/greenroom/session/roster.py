"""People coming and going in a room: what is told of it to whom, and what it keeps them from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.draft import Draft
from greenroom.session.group import GroupCall
from greenroom.session.model import Presence, Session, Stage

# What the one user of a voice session is called towards their bot.
_THE_USER = "user"


def come(draft: Draft, joined: i.UserJoined, now: float) -> bool:
    """Somebody is in the room, or there anew by another connection. False: nobody we know."""
    call = draft.session.group_call
    person = call.person(joined.person) if call is not None else None
    if call is None or person is None:
        return False
    first_at = now if person.joined_at is None else person.joined_at
    there = replace(person, connection=joined.participant, joined_at=first_at)
    call = _put(draft, call.with_person(there))
    if person.connection is None:
        first, people = person.joined_at is None, len(call.present)
        draft.tell(f.CameIn(person.id, person.user_id, first, people))
    return True


def go(draft: Draft, left: i.UserLeft) -> bool:
    """Somebody's connection is gone. False: others are there still, or it was not their last."""
    call = draft.session.group_call
    person = call.person(left.person) if call is not None else None
    if call is None or person is None or person.connection != left.participant:
        return False
    call = _put(draft, call.with_person(replace(person, connection=None)))
    draft.tell(f.WentOut(person.id, person.user_id, len(call.present)))
    return not call.present


def not_seen_yet(draft: Draft) -> None:
    """Whoever is in the room is to be seen there again, as if they came by the same connection."""
    call = draft.session.group_call
    if call is not None:
        awaited = tuple(replace(person, connection=None) for person in call.people)
        draft.set(group_call=replace(call, people=awaited))


def _put(draft: Draft, call: GroupCall) -> GroupCall:
    draft.set(group_call=call)
    return call


def in_call(session: Session) -> frozenset[str]:
    """The users whom this group call keeps from talking elsewhere.

    Those who are in its room, until it is closed; and its host while it begins: whoever starts a
    call is about to be in it.
    """
    call = session.group_call
    if call is None or session.stage in (Stage.QUEUED, Stage.ENDED):
        return frozenset()
    users = {person.user_id for person in call.present}
    return frozenset(users | {session.user_id} if session.stage is Stage.CONNECTING else users)


def settle_exclusion(draft: Draft, before: Session | None) -> None:
    """Whoever is in the call since this change, or no more: their voice sessions are to know."""
    was = in_call(before) if before is not None else frozenset()
    for user_id in sorted(was ^ in_call(draft.session)):
        draft.want(f.EffectKind.EXCLUDE, user_id=user_id)


def tell_presence(draft: Draft, before: Session) -> None:
    """A bot whose room is elsewhere is told who came or went; one here has seen it itself."""
    was, now = people_in(before), people_in(draft.session)
    came = next((id_ for id_ in now if id_ not in was), None)
    if was.keys() == now.keys() or not draft.session.stage.is_live:
        return
    data: dict[str, Any] = {"present": [_shown(*one) for one in now.items()]}
    if came is not None:
        data |= {"came": came, "first": not _was_here(before, came)}
    draft.tell_bot("presence", **data)


def people_in(session: Session) -> Mapping[str, str]:
    """Who is in the room: whom it calls how."""
    if session.group_call is not None:
        return {person.id: person.user_id for person in session.group_call.present}
    here = session.user_presence is Presence.PRESENT
    return {_THE_USER: session.user_id} if here else {}


def _shown(id_: str, user_id: str) -> dict[str, str]:
    return {"participant": id_, "userId": user_id}


def _was_here(session: Session, id_: str) -> bool:
    if session.group_call is None:
        return session.user_presence is not Presence.AWAITED
    person = session.group_call.person(id_)
    return person is not None and person.joined_at is not None
