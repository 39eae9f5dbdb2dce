"""Changing assistants' records: saved, published, rolled back, switched off. All on record."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from greenroom.assistants.records import parse
from greenroom.errors import Conflict, NotFound, RecordConflict
from greenroom.ports.assistants import AssistantStore, Outdated, Source, Standing, Version
from greenroom.ports.audit import Act, Actor
from greenroom.service.assistants import Bounds
from greenroom.service.audit import Audit
from greenroom.wire.assistants import AssistantRecord, as_data
from greenroom.wire.translate import rfc3339, rfc3339_or_none
from greenroom.wire.versions import AssistantLine, VersionLine

log = structlog.get_logger("greenroom.assistants")

NEWEST = -1
"""As what a version is based on: whatever is the newest. Nobody else's work is looked at."""


class Versions:
    """The records of assistants, as people change them."""

    def __init__(self, store: AssistantStore, audit: Audit, bounds: Bounds) -> None:
        self._store = store
        self._audit = audit
        self._bounds = bounds

    # ---- looking

    async def standing(self, name: str) -> Standing:
        """How things are with an assistant. Raises `NotFound`."""
        standing = await self._store.get(name)
        if standing is None or standing.deleted_at is not None:
            raise _no_record(name)
        return standing

    async def listed(self) -> list[Standing]:
        """Every assistant with a record, by name."""
        return await self._store.listed()

    async def version(self, name: str, number: int | None = None) -> Version:
        """A version; without a number the published one, or the newest. Raises `NotFound`."""
        standing = await self.standing(name)
        wanted = number or standing.published or standing.latest
        version = await self._store.version(name, wanted)
        if version is None:
            raise _no_version(name, wanted)
        return version

    async def versions(self, name: str) -> list[Version]:
        """Its versions, the newest first. Raises `NotFound`."""
        await self.standing(name)
        return await self._store.versions(name)

    # ---- changing

    async def save(
        self,
        actor: Actor,
        data: Any,
        *,
        name: str | None = None,
        based_on: int = NEWEST,
        source: Source,
        publish: bool = False,
    ) -> Version:
        """Keep a new version of a record.

        Args:
            actor: Who does.
            data: The record, not checked yet.
            name: The assistant's; what the record says if None.
            based_on: The newest version when it was written, 0 if there was none; or `NEWEST`.
            source: Where it comes from.
            publish: Whether new sessions get it at once.

        Raises:
            BadRecord: Something is wrong with it; or it is to be published, and this server
                cannot keep what it asks for.
            RecordConflict: Somebody else has saved a version meanwhile.
        """
        record = parse(data, name=name)
        if publish:
            self._bounds.check(record)
        if based_on == NEWEST:
            known = await self._store.get(record.name)
            based_on = known.latest if known else 0
        facts = {"basedOn": based_on, "source": source.value, "published": publish}
        entry = self._audit.entry(actor, Act.SAVE_ASSISTANT, record.name, **facts)
        try:
            version = await self._store.save(
                record.name,
                as_data(record),
                based_on=based_on,
                source=source,
                publish=publish,
                entry=entry,
            )
        except Outdated as outdated:
            raise RecordConflict(
                f"“{record.name}” is at version {outdated.latest} by now, and this is based on "
                f"{based_on}. Look at that version, and save yours on top of it.",
                latest=outdated.latest,
            ) from None
        log.info("assistant.saved", assistant=record.name, version=version.number, **facts)
        return version

    async def publish(self, actor: Actor, name: str, number: int | None = None) -> Version:
        """New sessions get this version, or the newest; running ones keep theirs.

        Raises:
            NotFound: There is no such version.
            BadRecord: This server cannot keep what it asks for.
        """
        standing = await self.standing(name)
        return await self._publish(actor, Act.PUBLISH_ASSISTANT, name, number or standing.latest)

    async def roll_back(self, actor: Actor, name: str, number: int | None = None) -> Version:
        """New sessions get this version again, or the one that was published before.

        Raises:
            NotFound: There is no such version.
            Conflict: None was published before, or somebody else has published one meanwhile.
            BadRecord: This server cannot keep what it asks for.
        """
        standing = await self.standing(name)
        now = None
        if number is None:
            now = standing.published
            earlier = [
                version.number
                for version in await self._store.versions(name)
                if version.published_at is not None and (now is None or version.number < now)
            ]
            if not earlier:
                raise Conflict(f"No earlier version of “{name}” was ever published.")
            number = earlier[0]
        try:
            return await self._publish(actor, Act.ROLL_BACK_ASSISTANT, name, number, now)
        except Outdated:
            raise Conflict(
                f"Somebody else has published another version of “{name}” meanwhile. Look at it, "
                "and say to which version you go back."
            ) from None

    async def _publish(
        self, actor: Actor, act: Act, name: str, number: int, instead_of: int | None = None
    ) -> Version:
        version = await self._store.version(name, number)
        if version is None:
            raise _no_version(name, number)
        self._bounds.check(parse(version.record))
        entry = self._audit.entry(actor, act, name, version=number)
        if not await self._store.publish(name, number, entry, instead_of=instead_of):
            raise _no_record(name)
        log.info("assistant.published", assistant=name, version=number, by=actor.name)
        return version

    async def delete(self, actor: Actor, name: str) -> None:
        """No new session gets it; running ones go on. Raises `NotFound`."""
        if not await self._store.delete(name, self._audit.entry(actor, Act.DELETE_ASSISTANT, name)):
            raise _no_record(name)
        log.info("assistant.deleted", assistant=name, by=actor.name)

    async def kill(self, actor: Actor, name: str, reason: str = "") -> None:
        """From the next start on nobody gets it, on any server. Raises `NotFound`."""
        entry = self._audit.entry(actor, Act.KILL_ASSISTANT, name, reason=reason)
        if not await self._store.kill(name, reason, entry):
            raise _no_record(name)
        log.warning("assistant.killed", assistant=name, by=actor.name)

    async def revive(self, actor: Actor, name: str) -> bool:
        """It may be started again; False: it might anyway. Raises `NotFound`."""
        await self.standing(name)
        entry = self._audit.entry(actor, Act.REVIVE_ASSISTANT, name)
        return await self._store.revive(name, entry)

    async def take(self, actor: Actor, records: Sequence[AssistantRecord]) -> list[Version]:
        """Publish records from files: each that differs from what its file last said.

        What was published or rolled back since by other ways stays as long as the file does.

        Raises:
            BadRecord: This server cannot keep what one asks for; then none is taken.
        """
        for record in records:
            self._bounds.check(record)
        taken = [await self._take(actor, record) for record in records]
        return [version for version in taken if version is not None]

    async def _take(self, actor: Actor, record: AssistantRecord) -> Version | None:
        """The new version of a file's record; None: it is known already."""
        data = as_data(record)
        while True:
            versions = await self._store.versions(record.name)
            known = next((v for v in versions if v.source == Source.FILE.value), None)
            standing = await self._store.get(record.name)
            gone = standing is None or standing.deleted_at is not None
            if known is not None and not gone and known.record == data:
                return None
            based_on = versions[0].number if versions else 0
            # Of several servers that begin at once and read the same file, one is the first.
            with suppress(RecordConflict):
                return await self.save(
                    actor, data, based_on=based_on, source=Source.FILE, publish=True
                )


def line_of(standing: Standing) -> AssistantLine:
    """An assistant as it is listed."""
    return AssistantLine(
        name=standing.name,
        latest=standing.latest,
        published=standing.published,
        created_at=rfc3339(standing.created_at),
        updated_at=rfc3339(standing.updated_at),
        killed_at=rfc3339_or_none(standing.killed_at),
        kill_reason=standing.kill_reason or None,
    )


def version_line(version: Version) -> VersionLine:
    """A version as it is listed."""
    return VersionLine(
        version=version.number,
        source=version.source,
        created_at=rfc3339(version.created_at),
        created_by=version.created_by,
        published_at=rfc3339_or_none(version.published_at),
    )


def _no_record(name: str) -> NotFound:
    return NotFound(f"No assistant called “{name[:64]}” has a record.")


def _no_version(name: str, number: int) -> NotFound:
    return NotFound(f"“{name[:64]}” has no version {number}.")
