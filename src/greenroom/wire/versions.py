"""Bodies of ``/api/operator/assistants``: records and their versions, for those who run the house.

Not part of the schema that browsers are built from: no page changes an assistant.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from greenroom.wire.base import WireModel

MOST_VERSIONS = 2**31 - 1


class AssistantLine(WireModel):
    """An assistant that has a record. Times: RFC 3339, UTC.

    ``published``: the version that new sessions get; ``killedAt``: since when nobody gets any.
    """

    name: str
    latest: int
    published: int | None = None
    created_at: str
    updated_at: str
    killed_at: str | None = None
    kill_reason: str | None = None


class AssistantLines(WireModel):
    """Every assistant that has a record, by name."""

    assistants: list[AssistantLine]


class VersionLine(WireModel):
    """A version as it is listed. ``publishedAt``: when it was last published, if ever."""

    version: int
    source: str
    created_at: str
    created_by: str
    published_at: str | None = None


class VersionLines(WireModel):
    """The versions of an assistant, the newest first."""

    name: str
    published: int | None = None
    versions: list[VersionLine]


class RecordBody(WireModel):
    """``PUT /api/operator/assistants/{name}``: a record, as its schema says.

    ``basedOn``: the newest version when it was written, 0 if there was none. Is it another by now,
    the answer is 409, and nobody's work is lost.
    """

    record: dict[str, Any]
    based_on: int = Field(ge=0, le=MOST_VERSIONS)
    publish: bool = False


class RecordAnswer(WireModel):
    """A record in one of its versions."""

    name: str
    version: VersionLine
    record: dict[str, Any]


class ValidateBody(WireModel):
    """``POST /api/operator/assistant-checks``: a record that is only looked at."""

    record: dict[str, Any]


class ValidateAnswer(WireModel):
    """It can be kept, and published here. ``record``: as it would be kept."""

    name: str
    record: dict[str, Any]


class PublishBody(WireModel):
    """Which version; without one: the newest, or for a roll-back the one published before."""

    version: int | None = Field(default=None, ge=1, le=MOST_VERSIONS)


class PublishAnswer(WireModel):
    """Which version new sessions get now."""

    name: str
    published: int


class KillBody(WireModel):
    """Why an assistant is switched off; users are told."""

    reason: str = Field(default="", max_length=500)


class ReviveAnswer(WireModel):
    """``revived``: whether it was switched off before."""

    name: str
    revived: bool
