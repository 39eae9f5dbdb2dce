"""Which side serves the next conversation: decided by flags, put on record, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, quantiles

import structlog
from openfeature.flag_evaluation import FlagEvaluationDetails

from greenroom.assistants.flags import FLAG, context_of
from greenroom.assistants.rollout import Decision, Reason, Side, decide
from greenroom.errors import Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.rollout import Decided, Outcome, RolloutStore
from greenroom.ports.store import Store
from greenroom.service.assistants import Assistant, Catalogue
from greenroom.service.flags import Flags
from greenroom.service.metrics import Metrics
from greenroom.session.cost import cost_of
from greenroom.session.model import EndReason, Session
from greenroom.session.prices import usd
from greenroom.wire import rollout as w
from greenroom.wire.translate import rfc3339

log = structlog.get_logger("greenroom.rollout")

# What is no fault of the user's: they had no conversation, or not to its end.
FAILURES = frozenset(
    {
        EndReason.LAUNCH_FAILED,
        EndReason.BOT_NEVER_JOINED,
        EndReason.BOT_LEFT,
        EndReason.BOT_CRASHED,
        EndReason.LOST,
    }
)
# A report looks at so many conversations of each side, the newest; a percentile needs no more.
MOST_COUNTED = 20_000
DAY_S = 86_400.0


class RollingOut:
    """Decides for one page after the other, through OpenFeature.

    The switches come first, whatever a flag system says: an assistant that is disabled or killed,
    and a house that is halted, send everybody to the other side from the next start on.

    Args:
        catalogue: Who may be talked with.
        store: Whether everything was stopped.
        kept: Where decisions and outcomes are kept.
        clock: The time.
        metrics: Counters.
        flags: Asks the flag system of the house, if it has one; None: the records decide.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        kept: RolloutStore,
        clock: Clock,
        metrics: Metrics,
        flags: Flags | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._kept = kept
        self._clock = clock
        self._metrics = metrics
        self._flags = flags or Flags()

    async def decide(self, name: str | None, user_id: str, tenant: str) -> tuple[str, Decision]:
        """Which side the user's next conversation is on; the assistant's name comes with it.

        The decision is put on record; if it cannot be, it holds all the same.

        Raises:
            NotFound: There is no such assistant.
        """
        assistant = await self._catalogue.find(name)
        decision = await self._decided(assistant, user_id, tenant)
        told = {"provider": decision.side.value, "reason": decision.reason.value}
        self._metrics.rollout_decisions.labels(**told).inc()
        log.info(
            "rollout.decided",
            assistant=assistant.name,
            tenant=tenant,
            **told,
        )
        about = (assistant.name, tenant, user_id, decision.side.value, decision.reason.value)
        try:
            await self._kept.note(*about, self._clock.now())
        except Unavailable as error:
            log.warning("rollout.not_recorded", assistant=assistant.name, error=error.message)
        return assistant.name, decision

    async def _decided(self, assistant: Assistant, user_id: str, tenant: str) -> Decision:
        if await self._store.halted() is not None:
            return Decision(Side.VAPI, Reason.HALTED)
        if assistant.disabled is not None:
            reason = Reason.KILLED if assistant.killed else Reason.DISABLED
            return Decision(Side.VAPI, reason)
        if assistant.record is None:
            return Decision(Side.GREENROOM, Reason.NO_RECORD)
        own = decide(assistant.record.rollout, assistant.name, user_id, tenant)
        context = context_of(
            assistant.record.rollout, assistant.name, user_id, tenant, assistant.version
        )

        try:
            told = await self._flags.text(FLAG, own.side.value, context)
        except Unavailable as error:
            log.warning("rollout.flags_unavailable", error=error.message)
            return Decision(own.side, Reason.FLAG_FAILED)
        return self._read(told, own)

    def _read(self, told: FlagEvaluationDetails[str], own: Decision) -> Decision:
        if not self._flags.asks_others:
            return own
        if told.error_code is not None or told.value not in set(Side):
            # Its message may hold anything; the code is OpenFeature's.
            log.warning("rollout.flag_failed", code=str(told.error_code), reason=str(told.reason))
            return Decision(own.side, Reason.FLAG_FAILED)
        return Decision(Side(told.value), Reason.FLAG)

    # ---- how it goes

    async def add(self, outcome: Outcome) -> bool:
        """Keep how a conversation went on the other side; whether it is new."""
        return await self._kept.add(outcome)

    async def report(self, days: float, assistant: str | None = None) -> w.RolloutReport:
        """Both sides of every assistant, or of one, over so many days until now."""
        since = self._clock.now() - days * DAY_S
        ours = await self._kept.sessions(since, assistant, limit=MOST_COUNTED + 1)
        theirs = await self._kept.outcomes(since, assistant, limit=MOST_COUNTED + 1)
        decided = await self._kept.decided(since, assistant)
        truncated = max(len(ours), len(theirs)) > MOST_COUNTED
        ours, theirs = ours[:MOST_COUNTED], theirs[:MOST_COUNTED]
        now = self._clock.now()
        both = {
            Side.GREENROOM: [_outcome_of(session, at, now) for session, at in ours],
            Side.VAPI: theirs,
        }
        names = {o.assistant for outcomes in both.values() for o in outcomes}
        names |= {one.assistant for one in decided}
        reports = [_report(name, both, decided) for name in sorted(names)]
        return w.RolloutReport(since=rfc3339(since), assistants=reports, truncated=truncated)


def _outcome_of(session: Session, first_word_at: float | None, now: float) -> Outcome:
    return Outcome(
        id=session.id,
        tenant=session.tenant,
        assistant=session.assistant,
        at=session.created_at,
        failed=session.reason in FAILURES,
        duration_s=session.duration_s(now) if session.active_at is not None else None,
        first_word_s=(
            None if first_word_at is None else max(0.0, first_word_at - session.created_at)
        ),
        micro_usd=cost_of(session).micro_usd,
    )


def _report(
    name: str, both: dict[Side, list[Outcome]], decided: Iterable[Decided]
) -> w.AssistantReport:
    def of(side: Side) -> w.SideReport:
        return _side([o for o in both[side] if o.assistant == name])

    lines = [
        w.DecisionLine(provider=d.provider, reason=d.reason, users=d.users, times=d.times)
        for d in decided
        if d.assistant == name
    ]
    return w.AssistantReport(
        assistant=name, greenroom=of(Side.GREENROOM), vapi=of(Side.VAPI), decisions=lines
    )


def _side(outcomes: Sequence[Outcome]) -> w.SideReport:
    failures = sum(o.failed for o in outcomes)
    words = [o.first_word_s for o in outcomes if o.first_word_s is not None]
    lengths = [o.duration_s for o in outcomes if o.duration_s is not None]
    costs = [o.micro_usd for o in outcomes if o.micro_usd is not None]
    return w.SideReport(
        sessions=len(outcomes),
        failures=failures,
        failure_share=failures / len(outcomes) if outcomes else None,
        first_word_p50_s=_percentile(words, 50),
        first_word_p95_s=_percentile(words, 95),
        mean_duration_s=fmean(lengths) if lengths else None,
        costs=len(costs),
        cost_usd=usd(sum(costs)),
        mean_cost_usd=usd(round(fmean(costs))) if costs else None,
    )


def _percentile(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=100, method="inclusive")[percent - 1]
