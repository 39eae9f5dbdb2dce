"""The names of all metrics, in one place. ``/metrics`` serves them in Prometheus's form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30)
_LONG_SECONDS = (5, 15, 30, 60, 120, 300, 600, 1200, 3600)


class Metrics:
    """The counters of one server. A registry of its own, so that tests never share one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sessions_started = Counter(
            "greenroom_sessions_started", "Sessions begun.", registry=self.registry
        )
        self.sessions_reused = Counter(
            "greenroom_sessions_reused",
            "Starts that were answered with a running session.",
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
            "greenroom_reports", "Reports of bots, by outcome.", ["outcome"], registry=self.registry
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
        self.bot_exits = Counter(
            "greenroom_bot_exits",
            "Bot processes that ended, by cause.",
            ["cause"],
            registry=self.registry,
        )
        self.uncaught = Counter(
            "greenroom_uncaught_errors",
            "Errors that nobody expected, by place.",
            ["place"],
            registry=self.registry,
        )
