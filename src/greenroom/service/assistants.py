"""Who may be talked with: what the server was started with, and the published records."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import structlog

from greenroom.assistants.overrides import overridden
from greenroom.assistants.records import Problem, parse, refusal
from greenroom.errors import (
    AssistantDisabled,
    BadOverride,
    BadRecord,
    NotFound,
    OverrideNotAllowed,
)
from greenroom.ports.assistants import AssistantStore, Standing, Version
from greenroom.service.http_tools import ToolServers
from greenroom.session.model import Limits
from greenroom.session.prices import micro_usd
from greenroom.wire.assistants import AssistantRecord

log = structlog.get_logger("greenroom.assistants")

# Fields of `Limits`, and where a record has them.
_LIMITS = {
    "persistence_s": "voiceSessionConfig.persistence",
    "max_duration_s": "voiceSessionConfig.maxDuration",
    "join_s": "limits.joinS",
    "idle_s": "limits.idleS",
    "pause_s": "limits.pauseS",
    "queue_s": "limits.queueS",
}


@dataclass(frozen=True, slots=True)
class Assistant:
    """What is launched for a name.

    Attributes:
        limits: How long its sessions may do what.
        ceilings: The most of it that a start may ask for; None: never more than ``limits``.
        record: Its record, if it has one.
        version: The version of that.
        disabled: Why nobody may start it, in a sentence; None: everybody may.
        killed: Whether that is because somebody switched it off.
    """

    name: str
    bot: str
    title: str
    limits: Limits
    ceilings: Limits | None = None
    record: AssistantRecord | None = None
    version: int | None = None
    disabled: str | None = None
    killed: bool = False

    @property
    def most(self) -> Limits:
        """The most that a start may ask for."""
        return self.ceilings or self.limits

    @property
    def budget_micro_usd(self) -> int | None:
        """What one of its sessions may cost, by its record."""
        amount = self.record.budget.session_usd if self.record else None
        return None if amount is None else micro_usd(Decimal(str(amount)))

    def require_enabled(self) -> None:
        """Raise `AssistantDisabled` if nobody may start it."""
        if self.disabled is not None:
            raise AssistantDisabled(self.disabled, assistant=self.name)


class Bounds:
    """What this server gives to assistants, and what it keeps records within.

    Args:
        assistants: What the server was started with, the first one by default. Records speak
            with its limits where they say nothing else, and never beyond its ceilings.
        bots: Further modules and files that records may name.
        tool_servers: Which addresses their HTTP tools may call, if any.

    Attributes:
        given: The assistants, by name.
        bots: Every module and file that may have to be launched.
    """

    def __init__(
        self,
        assistants: Sequence[Assistant],
        bots: Collection[str] = (),
        tool_servers: ToolServers | None = None,
    ) -> None:
        self._tool_servers = tool_servers or ToolServers()
        self.given = {assistant.name: assistant for assistant in assistants}
        self.bots = list(dict.fromkeys([*(one.bot for one in assistants), *bots]))

    @property
    def default(self) -> str:
        """Who is meant if nobody is named."""
        return next(iter(self.given))

    def base_of(self, name: str) -> Assistant:
        """What an assistant is where its record says nothing."""
        return self.given.get(name) or self.given[self.default]

    def check(self, record: AssistantRecord) -> None:
        """Whether this server can keep what a record asks for.

        Raises:
            BadRecord: Its bot is none of this server's, a limit is above its ceiling, or a tool
                cannot be called from here.
        """
        problems = list(self.beyond(record))
        if problems:
            raise refusal(problems)

    def beyond(self, record: AssistantRecord) -> Iterable[Problem]:
        """What of a record this server cannot keep."""
        if record.bot is not None and record.bot not in self.bots:
            yield Problem("bot", "is none that this server was told of; see GREENROOM_BOTS")
        most = self.base_of(record.name).most
        for name, wanted_s in limits_in(record).items():
            most_s = getattr(most, name)
            if wanted_s > most_s:
                setting = f"GREENROOM_{name.removesuffix('_s').upper()}_CEILING_S"
                yield Problem(_LIMITS[name], f"may be at most {most_s:g} here; see {setting}")
        for index, tool in enumerate(record.tools):
            if tool.kind != "http":
                continue
            if not self._tool_servers.secrets:
                yield Problem(f"tools[{index}].kind", "needs GREENROOM_TOOLS_SECRET on this server")
            elif problem := self._tool_servers.problem_of(str(tool.settings.get("url"))):
                yield Problem(f"tools[{index}].settings.url", problem)


class Catalogue:
    """Knows whom one may talk with. Asks the store each time: what is published counts at once."""

    def __init__(self, bounds: Bounds, store: AssistantStore) -> None:
        self.bounds = bounds
        self._store = store

    async def find(self, name: str | None) -> Assistant:
        """The assistant of this name, or the default one: its published record, if there is one.

        Raises:
            NotFound: There is none.
        """
        wanted = self.bounds.default if name is None else name
        found = await self._store.published(wanted)
        if found is not None:
            return self._by_record(*found)
        try:
            return self.bounds.given[wanted]
        except KeyError:
            raise NotFound(f"There is no assistant called “{wanted[:64]}”.") from None

    async def listed(self) -> list[Assistant]:
        """Everybody who may be talked with, the default one first."""
        found = {s.name: self._by_record(s, v) for s, v in await self._store.all_published()}
        return list({**self.bounds.given, **found}.values())

    def override(self, assistant: Assistant, overrides: Mapping[str, Any]) -> Assistant:
        """The assistant as one start wants it.

        Raises:
            OverrideNotAllowed: It has no record, or that does not allow it.
            BadOverride: What is wanted cannot be, or is above a ceiling.
        """
        if not overrides:
            return assistant
        if assistant.record is None:
            raise OverrideNotAllowed(
                "This assistant has no record, so nothing of it can be overridden.",
                field="overrides",
            )
        record = overridden(assistant.record, overrides)
        for problem in self.bounds.beyond(record):
            raise BadOverride(f"overrides.{problem}", field=f"overrides.{problem.field}")
        made = _assistant(record, assistant.version, self.bounds.base_of(assistant.name))
        return replace(made, disabled=assistant.disabled)

    def _by_record(self, standing: Standing, version: Version) -> Assistant:
        base = self.bounds.base_of(standing.name)
        try:
            record = parse(version.record, name=standing.name, stored=True)
        except BadRecord as error:  # an older or newer version's, with other rules
            log.error("assistant.unreadable", assistant=standing.name, error=error.message)
            reason = "The record of this assistant cannot be read by this server."
            return replace(base, name=standing.name, version=version.number, disabled=reason)
        made = _assistant(record, version.number, base)
        beyond = [str(p) for p in self.bounds.beyond(record)]
        if beyond:  # the settings have changed since it was published
            log.warning("assistant.beyond_the_ceilings", assistant=record.name, problems=beyond)
        killed = standing.killed_at is not None
        return replace(made, disabled=self._why_not(standing, record), killed=killed)

    def _why_not(self, standing: Standing, record: AssistantRecord) -> str | None:
        if standing.killed_at is not None:
            reason = f": {standing.kill_reason}" if standing.kill_reason else "."
            return f"This assistant was switched off{reason}"
        if not record.voice_session_config.enabled:
            return "This assistant takes no voice sessions."
        if record.bot is not None and record.bot not in self.bounds.bots:
            return "The bot that speaks for this assistant is none that this server may start."
        return None


def limits_in(record: AssistantRecord) -> dict[str, float]:
    """What a record says of the fields of `Limits`."""
    config, limits = record.voice_session_config, record.limits
    said = {
        "persistence_s": config.persistence,
        "max_duration_s": config.max_duration,
        "join_s": limits.join_s,
        "idle_s": limits.idle_s,
        "pause_s": limits.pause_s,
        "queue_s": limits.queue_s,
    }
    return {name: value for name, value in said.items() if value is not None}


def _assistant(record: AssistantRecord, version: int | None, base: Assistant) -> Assistant:
    """What is launched by a record: never beyond what its base allows."""
    own = {name: min(value, getattr(base.most, name)) for name, value in limits_in(record).items()}
    return replace(
        base,
        name=record.name,
        bot=record.bot or base.bot,
        title=record.title or record.name,
        limits=replace(base.limits, **own),
        # What a record says, no start exceeds; elsewhere the server's ceilings hold.
        ceilings=replace(base.most, **own),
        record=record,
        version=version,
    )
