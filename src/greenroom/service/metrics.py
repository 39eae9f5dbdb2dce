"""The names of all metrics, in one place. ``/metrics`` serves them in Prometheus's form."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from greenroom.ports.launcher import BotProcess
from greenroom.session.model import Presence, Session, Stage
from greenroom.wire.link import Report, ReportKind
from greenroom.wire.tools import ToolResultData

_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30)
_SHARES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_JITTER_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
# How a page can go, as `greenroom.wire.link.ReportKind` says.
_LEAVING = ("silent", "left", "closed", "failed", "moved", "replaced")
_MOST_NAMES = 50
_LONG_SECONDS = (5, 15, 30, 60, 120, 300, 600, 1200, 3600)


class Metrics:
    """The counters of one server. A registry of its own, so that tests never share one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._app_types: set[str] = set()
        self._tools: set[str] = set()
        self.sessions_started = Counter(
            "greenroom_sessions_started", "Sessions begun.", registry=self.registry
        )
        self.sessions_reused = Counter(
            "greenroom_sessions_reused",
            "Starts that were answered with a running session.",
            registry=self.registry,
        )
        self.sessions_refused = Counter(
            "greenroom_sessions_refused",
            "Starts that were refused, by error code: limits, budgets, a stop or a drain.",
            ["code"],
            registry=self.registry,
        )
        self.rollout_decisions = Counter(
            "greenroom_rollout_decisions",
            "Pages that were told which side serves their user, by side and reason.",
            ["provider", "reason"],
            registry=self.registry,
        )
        self.sessions_queued = Gauge(
            "greenroom_sessions_queued",
            "Sessions in the waiting room at the last look.",
            registry=self.registry,
        )
        self.sessions_ended = Counter(
            "greenroom_sessions_ended",
            "Sessions ended, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.session_seconds = Histogram(
            "greenroom_session_seconds",
            "Length of conversations.",
            buckets=_LONG_SECONDS,
            registry=self.registry,
        )
        self.bot_join_seconds = Histogram(
            "greenroom_bot_join_seconds",
            "From the click's request to both in the room.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answer_seconds = Histogram(
            "greenroom_offer_answer_seconds",
            "From a page's offer to the bot's answer.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.reports = Counter(
            "greenroom_reports",
            "Reports of bots, by outcome, and by the way they came.",
            ["outcome", "way"],
            registry=self.registry,
        )
        self.webhooks_refused = Counter(
            "greenroom_webhooks_refused",
            "Webhooks of bots of which nothing, or not all, was taken, by error code.",
            ["code"],
            registry=self.registry,
        )
        self.room_events = Counter(
            "greenroom_room_events",
            "Events that rooms themselves told of, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self.commands_ignored = Counter(
            "greenroom_commands_ignored",
            "People's commands that changed nothing: too late, or overtaken by a later one.",
            ["command", "outcome"],
            registry=self.registry,
        )
        self.effects_failed = Counter(
            "greenroom_effects_failed",
            "Effects that failed, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.effects_dead = Counter(
            "greenroom_effects_dead", "Effects given up, by kind.", ["kind"], registry=self.registry
        )
        self.links = Gauge("greenroom_links", "Bots that are linked now.", registry=self.registry)
        self.sockets = Gauge(
            "greenroom_event_sockets", "Browsers that follow events now.", registry=self.registry
        )
        self.sockets_closed = Counter(
            "greenroom_event_sockets_closed",
            "Event sockets that were closed, by code: 1000 by the browser itself.",
            ["code"],
            registry=self.registry,
        )
        self.ephemeral = Counter(
            "greenroom_ephemeral_events",
            "Ephemeral events of bots, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self.bot_exits = Counter(
            "greenroom_bot_exits",
            "Bot processes that ended, by cause.",
            ["cause"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "greenroom_deliveries",
            "Tries to deliver an event to an application, and deliveries given up.",
            ["endpoint", "outcome"],
            registry=self.registry,
        )
        self.delivery_seconds = Histogram(
            "greenroom_delivery_seconds",
            "How long one try took.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.delivery_lag_seconds = Histogram(
            "greenroom_delivery_lag_seconds",
            "From an event to its delivery.",
            ["endpoint"],
            buckets=(*_SECONDS, 120, 600, 3_600, 28_800),
            registry=self.registry,
        )
        self.deliveries_waiting = Gauge(
            "greenroom_deliveries_waiting",
            "Deliveries that wait.",
            ["endpoint"],
            registry=self.registry,
        )
        self.deliveries_dead = Gauge(
            "greenroom_deliveries_dead",
            "Deliveries given up and kept.",
            ["endpoint"],
            registry=self.registry,
        )
        self.delivery_oldest_seconds = Gauge(
            "greenroom_delivery_oldest_seconds",
            "How long the oldest delivery has waited.",
            ["endpoint"],
            registry=self.registry,
        )
        self.cost_usd = Counter(
            "greenroom_cost_usd",
            "US dollars that sessions have cost, by component.",
            ["component"],
            registry=self.registry,
        )
        self.uncaught = Counter(
            "greenroom_uncaught_errors",
            "Errors that nobody expected, by place.",
            ["place"],
            registry=self.registry,
        )
        self._add_the_plans()

    def _add_the_plans(self) -> None:
        """What a host of voice wants to watch beside the sessions themselves."""
        registry = self.registry
        self.bot_spawn_seconds = Histogram(
            "greenroom_bot_spawn_seconds",
            "From the order to launch until the bot has linked.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.pauses = Counter(
            "greenroom_pauses", "Pauses asked for, by cause.", ["cause"], registry=registry
        )
        self.tickets = Counter(
            "greenroom_tickets_issued", "Tickets for the event socket.", registry=registry
        )
        self.tokens_refused = Counter(
            "greenroom_tokens_refused",
            "Tokens and tickets that were expired, used or not good.",
            ["kind"],
            registry=registry,
        )
        self.app_events = Counter(
            "greenroom_app_events",
            "Events of applications, tools among them, by type.",
            ["type"],
            registry=registry,
        )
        self.tool_calls = Counter(
            "greenroom_tool_calls",
            "Tool calls of assistants, by tool and by what came of them.",
            ["tool", "outcome"],
            registry=registry,
        )
        self.tool_seconds = Histogram(
            "greenroom_tool_seconds",
            "From a tool call to what came of it.",
            ["tool"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.users_left = Counter(
            "greenroom_users_left",
            "Pages that went, by how; silent and failed are trouble with the audio's way.",
            ["why"],
            registry=registry,
        )
        self.audio_lost = Histogram(
            "greenroom_audio_lost_share",
            "Share of a user's audio packets that never came, per connection.",
            buckets=_SHARES,
            registry=registry,
        )
        self.audio_jitter_seconds = Histogram(
            "greenroom_audio_jitter_seconds",
            "How unevenly a user's audio came, per connection.",
            buckets=_JITTER_SECONDS,
            registry=registry,
        )
        self.sessions = Gauge(
            "greenroom_sessions", "Sessions now, by stage.", ["stage"], registry=registry
        )
        self.sessions_paused = Gauge(
            "greenroom_sessions_paused", "Sessions that are paused now.", registry=registry
        )
        self.participants = Gauge(
            "greenroom_participants", "In the rooms now.", ["who"], registry=registry
        )
        self.rooms = Gauge(
            "greenroom_rooms", "Rooms in which anybody is or is expected now.", registry=registry
        )
        self.bots = Gauge(
            "greenroom_bots", "Bot processes now, by progress.", ["progress"], registry=registry
        )
        self.bot_private_bytes = Gauge(
            "greenroom_bot_private_bytes", "Private memory of all bots.", registry=registry
        )
        self.bot_places = Gauge(
            "greenroom_bot_places",
            "Bots that may live at once; no sample where that is not limited.",
            ["limit"],
            registry=registry,
        )
        self.halted = Gauge("greenroom_halted", "1 while everything is stopped.", registry=registry)

    def note_report(self, report: Report) -> None:
        """Count what a bot's report tells beside its session's story."""
        match report.kind:
            case ReportKind.APP:
                kind = _one_of_few(self._app_types, report.data.get("type"))
                self.app_events.labels(type=kind).inc()
            case ReportKind.TOOL_RESULT:
                came = ToolResultData.model_validate(report.data)
                tool = _one_of_few(self._tools, came.tool)
                self.tool_calls.labels(tool=tool, outcome=came.outcome.value).inc()
                self.tool_seconds.labels(tool=tool).observe(came.duration_ms / 1000)
            case ReportKind.USER_LEFT:
                why = report.data.get("why")
                self.users_left.labels(why=why if why in _LEAVING else "other").inc()
            case ReportKind.QUALITY:
                received, lost = float(report.data["received"]), float(report.data["lost"])
                self.audio_lost.observe(lost / max(1.0, received + lost))
                self.audio_jitter_seconds.observe(float(report.data["jitter_ms"]) / 1000)
            case _:
                pass

    def look(self, sessions: Sequence[Session], bots: Sequence[BotProcess]) -> None:
        """What is so at this moment: all gauges anew."""
        for stage in Stage:
            if stage is not Stage.ENDED:
                self.sessions.labels(stage=stage.value).set(sum(s.stage is stage for s in sessions))
        here = Presence.PRESENT
        self.sessions_paused.set(sum(s.is_paused for s in sessions))
        self.participants.labels(who="user").set(sum(s.user_presence is here for s in sessions))
        self.participants.labels(who="bot").set(sum(s.bot_presence is here for s in sessions))
        self.rooms.set(len({s.room for s in sessions if s.stage is not Stage.QUEUED}))
        self.bots.clear()
        for bot in bots:
            self.bots.labels(progress=bot.progress).inc()
        self.bot_private_bytes.set(sum(bot.private_bytes for bot in bots))


def _one_of_few(known: set[str], told: object) -> str:
    """Bots and records choose these names: the first fifty have a line of their own."""
    name = str(told)[:64]
    if name in known or len(known) < _MOST_NAMES:
        known.add(name)
        return name
    return "other"
