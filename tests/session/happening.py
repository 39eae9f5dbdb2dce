"""A session that is begun, and what happens to it: what the tests of the core share."""

from __future__ import annotations

from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.lifecycle import open_session, transition
from greenroom.session.model import Limits, Session
from greenroom.session.prices import NO_TARIFF, Tariff

NOW = 1_800_000_000.0
LIMITS = Limits()


def opened(
    limits: Limits = LIMITS,
    *,
    now: float = NOW,
    tariff: Tariff = NO_TARIFF,
    position: int | None = None,
) -> f.Change:
    """The first change of Ada's session ``ses_1``, whose launch is ``lau_1``."""
    return open_session(
        session_id="ses_1",
        user_id="ada",
        assistant="cards",
        bot="greenroom.bot.cards",
        room="voice-ada-0123456789ab",
        launch_id="lau_1",
        limits=limits,
        body={},
        now=now,
        tariff=tariff,
        position=position,
    )


def numbered(session: Session, event: i.Input | i.BotReport) -> i.Input:
    """A report becomes the next one of the session's launch."""
    if isinstance(event, i.BotReport):
        return i.Reported(session.launch_id, session.report_seq + 1, event)
    return event


def changed(session: Session, event: i.Input | i.BotReport, now: float = NOW) -> f.Change:
    """What becomes of a session; a report is the next one."""
    return transition(session, numbered(session, event), now)


def after(session: Session, *events: i.Input | i.BotReport, now: float = NOW) -> Session:
    """The session after these, reports numbered as they come."""
    for event in events:
        session = changed(session, event, now).session
    return session
