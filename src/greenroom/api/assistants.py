"""``/api/operator/assistants``: records, for operators and for keys with ``assistants``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from greenroom.api.description import BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import operator_with
from greenroom.assistants.records import parse
from greenroom.errors import BadRecord, Conflict, NotFound, RecordConflict
from greenroom.ports.assistants import Source, Version
from greenroom.ports.audit import Actor
from greenroom.service.versions import Versions, line_of, version_line
from greenroom.wire import versions as w
from greenroom.wire.assistants import MAX_NAME_CHARS, AssistantRecord, as_data
from greenroom.wire.keys import Scope

router = APIRouter(prefix="/api/operator", tags=["assistants"])

_OF_ONE = (*BY_THE_OPERATORS_DOOR, NotFound)


def _records(request: Request) -> Versions:
    records: Versions = request.app.state.versions
    return records


Editor = Annotated[Actor, Depends(operator_with(Scope.ASSISTANTS))]
VersionsDep = Annotated[Versions, Depends(_records)]
Name = Annotated[str, Path(max_length=MAX_NAME_CHARS)]
Number = Annotated[int, Path(ge=1, le=w.MOST_VERSIONS)]


@router.get("/assistant-schema", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def schema(editor: Editor) -> dict[str, Any]:
    """The JSON Schema of a record."""
    return AssistantRecord.model_json_schema(by_alias=True)


@router.post("/assistant-checks", responses=refusals(*BY_THE_OPERATORS_DOOR, BadRecord))
async def check(
    body: w.ValidateBody, editor: Editor, records: VersionsDep, request: Request
) -> w.ValidateAnswer:
    """Look at a record without keeping it: whether it could be published here."""
    record = parse(body.record)
    request.app.state.catalogue.bounds.check(record)
    return w.ValidateAnswer(name=record.name, record=as_data(record))


@router.get("/assistants", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def listed(editor: Editor, records: VersionsDep) -> w.AssistantLines:
    """Every assistant that has a record."""
    return w.AssistantLines(assistants=[line_of(one) for one in await records.listed()])


@router.get("/assistants/{name}", responses=refusals(*_OF_ONE))
async def get(name: Name, editor: Editor, records: VersionsDep) -> w.RecordAnswer:
    """The published version of a record, or the newest where none is."""
    return _answer(await records.version(name))


@router.put(
    "/assistants/{name}",
    status_code=201,
    responses=refusals(*BY_THE_OPERATORS_DOOR, BadRecord, RecordConflict),
)
async def save(
    name: Name, body: w.RecordBody, editor: Editor, records: VersionsDep
) -> w.RecordAnswer:
    """Keep a new version of a record, the first one or one more."""
    version = await records.save(
        editor,
        body.record,
        name=name,
        based_on=body.based_on,
        source=Source.API,
        publish=body.publish,
    )
    return _answer(version)


@router.delete("/assistants/{name}", status_code=204, responses=refusals(*_OF_ONE))
async def delete(name: Name, editor: Editor, records: VersionsDep) -> None:
    """Take an assistant away from new sessions; those that run go on."""
    await records.delete(editor, name)


@router.get("/assistants/{name}/versions", responses=refusals(*_OF_ONE))
async def versions(name: Name, editor: Editor, records: VersionsDep) -> w.VersionLines:
    """The versions of a record, the newest first."""
    standing = await records.standing(name)
    found = await records.versions(name)
    lines = [version_line(one) for one in found]
    return w.VersionLines(name=name, published=standing.published, versions=lines)


@router.get("/assistants/{name}/versions/{version}", responses=refusals(*_OF_ONE))
async def one_version(
    name: Name, version: Number, editor: Editor, records: VersionsDep
) -> w.RecordAnswer:
    """One version of a record."""
    return _answer(await records.version(name, version))


@router.post("/assistants/{name}/publish", responses=refusals(*_OF_ONE, BadRecord))
async def publish(
    name: Name, editor: Editor, records: VersionsDep, body: w.PublishBody | None = None
) -> w.PublishAnswer:
    """Give new sessions this version, or the newest. Running ones keep theirs."""
    version = await records.publish(editor, name, body.version if body else None)
    return w.PublishAnswer(name=name, published=version.number)


@router.post("/assistants/{name}/rollback", responses=refusals(*_OF_ONE, BadRecord, Conflict))
async def roll_back(
    name: Name, editor: Editor, records: VersionsDep, body: w.PublishBody | None = None
) -> w.PublishAnswer:
    """Give new sessions this version again, or the one that was published before."""
    version = await records.roll_back(editor, name, body.version if body else None)
    return w.PublishAnswer(name=name, published=version.number)


@router.post("/assistants/{name}/kill", status_code=204, responses=refusals(*_OF_ONE))
async def kill(
    name: Name, editor: Editor, records: VersionsDep, body: w.KillBody | None = None
) -> None:
    """Let nobody start it from now on; pages are sent to the other side."""
    await records.kill(editor, name, body.reason.strip() if body else "")


@router.post("/assistants/{name}/revive", responses=refusals(*_OF_ONE))
async def revive(name: Name, editor: Editor, records: VersionsDep) -> w.ReviveAnswer:
    """Let it be started again."""
    return w.ReviveAnswer(name=name, revived=await records.revive(editor, name))


def _answer(version: Version) -> w.RecordAnswer:
    return w.RecordAnswer(name=version.name, version=version_line(version), record=version.record)
