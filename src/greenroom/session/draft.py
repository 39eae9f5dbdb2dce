"""A change in the making: the session as it will be, and what the change tells and asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from greenroom.session import facts as f
from greenroom.session.cost import cost_of
from greenroom.session.deadlines import deadlines, longest_life_s
from greenroom.session.model import DeadlineKind, Session


class Draft:
    """A session being changed, with what the change will tell and ask."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.facts: list[f.Fact] = []
        self.effects: list[f.Effect] = []

    def set(self, **changes: Any) -> None:
        """Change these fields of the session."""
        self.session = replace(self.session, **changes)

    def tell(self, fact: f.Fact) -> None:
        """One more fact."""
        self.facts.append(fact)

    def want(self, effect: f.EffectKind, /, **payload: Any) -> None:
        """One more effect; `facts.EffectKind` has the payloads."""
        self.effects.append(f.Effect(effect, payload))

    def tell_bot(self, kind: str, **data: Any) -> None:
        """One more effect: a command to the bot, by a name of its own."""
        # Which change of the session, and which of its effects: no other command is called so.
        name = f"{self.session.version}.{len(self.effects)}"
        launch_id = self.session.launch_id
        self.want(f.EffectKind.TELL_BOT, launch_id=launch_id, command=name, kind=kind, data=data)


def launch(draft: Draft) -> None:
    """It begins: its room and its bot are asked for."""
    session, limits = draft.session, draft.session.limits
    draft.tell(f.Started(assistant=session.assistant, room=session.room))
    draft.want(f.EffectKind.ENSURE_ROOM, room=session.room)
    draft.want(
        f.EffectKind.LAUNCH_BOT,
        launch_id=session.launch_id,
        bot=session.bot,
        join_s=limits.join_s,
        wall_clock_s=longest_life_s(limits),
    )


def tell_place(draft: Draft, now: float) -> None:
    """Where it stands in the queue."""
    position = draft.session.queue_position
    assert position is not None
    ends_at = deadlines(draft.session)[DeadlineKind.QUEUE]
    draft.tell(f.Queued(position, ends_in_s=max(0.0, ends_at - now)))


def tell_cost(draft: Draft) -> None:
    """The bill so far."""
    cost = cost_of(draft.session)
    draft.set(meter=replace(draft.session.meter, told_micro_usd=cost.micro_usd))
    draft.tell(f.Costed(cost))
