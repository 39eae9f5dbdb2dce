"""What a running session is told: what to say, what to know, how to be; and who may tell it.

Operators and an application's own server may tell any of it. A page is its user's, and a user is
not to put words into the assistant's mouth: a page adds to what the assistant knows, as the user's
word, and changes what the record lets a start change; the record may say otherwise (``pageMay``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenroom.assistants.overrides import adjusted
from greenroom.assistants.records import parse
from greenroom.errors import BadRecord, Conflict, Forbidden, VoiceFixed
from greenroom.ports.assistants import AssistantStore
from greenroom.service.sessions import Sessions
from greenroom.session.inputs import Adjust, Context, Say
from greenroom.session.model import Session, Stage
from greenroom.wire.assistants import AssistantRecord, PageMay

# Of two who change a record at once, one comes again; so often, nobody does by chance.
_MOST_ROUNDS = 10
# From then on a model that speaks by itself has spoken, or is about to.
_CONVERSING = (Stage.ACTIVE, Stage.LINGERING)


class Telling:
    """Tells running sessions.

    Args:
        sessions: The record.
        records: What the versions of assistants' records allow.
    """

    def __init__(self, sessions: Sessions, records: AssistantStore) -> None:
        self._sessions = sessions
        self._records = records

    async def say(
        self, session: Session, text: str, *, interrupt: bool, by_page: bool = False
    ) -> Session:
        """Have the assistant say this; with ``interrupt`` at once, else after what it says now.

        Raises:
            Forbidden: A page wants it, and the record does not let it.
            NotActive: Nobody is in conversation right now, or it is paused.
            StillQueued: It waits for its place.
            SessionEnded: It is over.
        """
        if by_page:
            await self._check_page(session, PageMay.SAY)
        return await self._sessions.apply(session.id, Say(text, interrupt))

    async def context(self, session: Session, text: str, *, by_page: bool = False) -> Session:
        """Let the assistant know this from now on; it does not say it.

        Raises:
            Forbidden: A page wants it, and the record does not let it.
            SessionEnded: The session is over.
        """
        if by_page:
            await self._check_page(session, PageMay.CONTEXT)
        return await self._sessions.apply(session.id, Context(text, by_page))

    async def adjust(
        self, session: Session, changes: Mapping[str, Any], *, by_page: bool = False
    ) -> Session:
        """Change how the assistant is from now on: on record, and told to its bot.

        Args:
            session: Which session.
            changes: Of ``persona``, ``personality`` and ``voice``, shaped as the record. Objects
                are merged, everything else is replaced; ``null`` takes a field out.
            by_page: A page wants it, and so no more than the record lets a start override.

        Raises:
            OverrideNotAllowed: The record does not let a page change it.
            BadOverride: No record could say it; the error names the field's path.
            VoiceFixed: A model that speaks by itself has begun with the voice that it has.
            Conflict: Others changed it at the same time, again and again.
            SessionEnded: The session is over.
        """
        rules = await self._rules_of(session) if by_page else None
        allowed = (rules.overrides if rules else []) if by_page else None
        for _ in range(_MOST_ROUNDS):
            before = session.record
            record = adjusted(before, changes, name=session.assistant, allowed=allowed)
            if record.get("voice") != before.get("voice"):
                _check_voice(session)
            told = {name: record.get(name) for name in changes}
            session = await self._sessions.apply(session.id, Adjust(record, before, told))
            if session.record == record:
                return session
        raise Conflict("Others change this session's assistant at the same time. Try again.")

    async def _check_page(self, session: Session, wish: PageMay) -> None:
        rules = await self._rules_of(session)
        if wish not in (rules.page_may if rules else AssistantRecord(name="none").page_may):
            raise Forbidden(
                f"This assistant does not let a page do that; its record would have to: "
                f"pageMay: [{wish.value}]",
                field="pageMay",
            )

    async def _rules_of(self, session: Session) -> AssistantRecord | None:
        """The record that the session was started with; None: there is none that can be read."""
        if session.assistant_version is None:
            return None
        version = await self._records.version(session.assistant, session.assistant_version)
        try:
            return parse(version.record, name=session.assistant) if version else None
        except BadRecord:  # an older or newer server's, with other rules
            return None


def _check_voice(session: Session) -> None:
    """Refuse another voice where the one that there is was heard and stays."""
    if "speechToSpeech" in session.record and session.stage in _CONVERSING:
        raise VoiceFixed(
            "A model that speaks by itself keeps the voice that it has begun with. It can be "
            "changed until the conversation begins.",
            field="voice",
        )
