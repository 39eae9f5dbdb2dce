"""``greenroom assistants``: records of assistants, beside a server or without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.markup import escape

from greenroom.commands.database import actor, with_store
from greenroom.commands.operate import AsJson, StateDir, read
from greenroom.commands.terminal import a_table, err, fail, out, refusals, wide

if TYPE_CHECKING:
    from greenroom.assistants.folder import FileRecord
    from greenroom.ports.assistants import Standing, Version
    from greenroom.ports.store import Store
    from greenroom.service.assistants import Bounds
    from greenroom.service.versions import Versions
    from greenroom.settings import Settings

_T = TypeVar("_T")

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Assistants: who speaks, with which services, and within which limits.\n\n"
        "Example:  [bold]greenroom assistants save mary.yaml --publish[/bold]"
    ),
)

Name = Annotated[str, typer.Argument(help="The assistant's name.")]
Number = Annotated[int | None, typer.Argument(min=1, help="Which version.")]


@app.command(name="list")
def list_assistants(as_json: AsJson = False, state_dir: StateDir = None) -> None:
    """List the assistants that have a record.

    Examples:
      [bold]greenroom assistants list[/bold]

      [bold]greenroom assistants list --json[/bold]   for machines
    """
    from greenroom.service.versions import line_of
    from greenroom.wire.versions import AssistantLines

    found: list[Standing] = _with_versions(state_dir, lambda versions, _: versions.listed())
    lines = [line_of(one) for one in found]
    if as_json:
        out.print(AssistantLines(assistants=lines).model_dump_json(by_alias=True), markup=False)
    elif lines:
        table = a_table("name", "published", "newest", "changed (UTC)", "")
        for line in lines:
            killed = f"[red]switched off[/red] {escape(line.kill_reason or '')}"
            published = str(line.published) if line.published else "–"
            changed = line.updated_at[:16].replace("T", " ")
            off = killed if line.killed_at else ""
            table.add_row(escape(line.name), published, str(line.latest), changed, off)
        wide().print(table, soft_wrap=False)
    else:
        out.print("No assistant has a record. Write one: greenroom assistants save --help")


@app.command()
def show(
    name: Name,
    number: Number = None,
    as_json: AsJson = False,
    state_dir: StateDir = None,
) -> None:
    """Print a record: the published version, the newest if none is, or the one that is named.

    Examples:
      [bold]greenroom assistants show mary[/bold] > mary.yaml

      [bold]greenroom assistants show mary 3 --json[/bold]
    """
    version: Version = _with_versions(state_dir, lambda versions, _: versions.version(name, number))
    err.print(f"[dim]version {version.number}, {version.source}, {version.created_by}[/dim]")
    out.print(as_text(version.record, as_json=as_json), markup=False, end="")


@app.command()
def versions(name: Name, as_json: AsJson = False, state_dir: StateDir = None) -> None:
    """List the versions of a record, the newest first.

    Example:  [bold]greenroom assistants versions mary[/bold]
    """
    from greenroom.service.versions import version_line
    from greenroom.wire.versions import VersionLines

    async def both(records: Versions, _: Settings) -> tuple[Standing, list[Version]]:
        return await records.standing(name), await records.versions(name)

    standing, found = _with_versions(state_dir, both)
    lines = [version_line(one) for one in found]
    if as_json:
        told = VersionLines(name=name, published=standing.published, versions=lines)
        out.print(told.model_dump_json(by_alias=True), markup=False)
        return
    table = a_table("version", "", "from", "by", "saved (UTC)", "last published (UTC)")
    for line in lines:
        mark = "[green]published[/green]" if line.version == standing.published else ""
        when = [
            at[:16].replace("T", " ") if at else "–" for at in (line.created_at, line.published_at)
        ]
        table.add_row(str(line.version), mark, line.source, escape(line.created_by), *when)
    wide().print(table, soft_wrap=False)


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of files.", exists=True)],
    state_dir: StateDir = None,
) -> None:
    """Look whether files are records that this server could publish; needs no database.

    Examples:
      [bold]greenroom assistants validate assistants/[/bold]

      [bold]greenroom assistants validate mary.yaml eve.json[/bold]
    """
    from greenroom.errors import BadRecord

    with refusals():
        bounds = _bounds(read(state_dir))
        bad = 0
        for path in _files(paths):
            try:
                bounds.check(_read(path).record)
            except BadRecord as error:
                bad += 1
                # What the file's reader refuses is named with the file already.
                where = "" if error.message.startswith(f"{path.name}: ") else f"{path.name}: "
                err.print(f"[red]✗[/red] {escape(where)}{escape(error.message)}")
            else:
                out.print(f"[green]✓[/green] {escape(str(path))}")
    if bad:
        raise typer.Exit(1)


@app.command()
def save(
    path: Annotated[Path, typer.Argument(help="A YAML or JSON file.", exists=True, dir_okay=False)],
    publish_it: Annotated[
        bool, typer.Option("--publish", help="New sessions get it at once.")
    ] = False,
    based_on: Annotated[
        int | None,
        typer.Option(min=0, help="Refuse if the newest version is another; 0: if there is any."),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Keep a file as a new version of the record that it holds.

    Examples:
      [bold]greenroom assistants save mary.yaml[/bold]             new sessions do not get it yet

      [bold]greenroom assistants save mary.yaml --publish[/bold]

      [bold]greenroom assistants save mary.yaml --based-on 3[/bold]   only if nobody was faster
    """
    from greenroom.ports.assistants import Source
    from greenroom.service.versions import NEWEST
    from greenroom.wire.assistants import as_data

    async def keep(records: Versions, _: Settings) -> Version:
        record = as_data(_read(path).record)
        base = NEWEST if based_on is None else based_on
        return await records.save(
            actor(), record, based_on=base, source=Source.COMMAND, publish=publish_it
        )

    version = _with_versions(state_dir, keep)
    said = "saved and published" if publish_it else "saved"
    out.print(f"[green]✓[/green] {escape(version.name)} {version.number} is {said}.")


@app.command()
def publish(name: Name, number: Number = None, state_dir: StateDir = None) -> None:
    """Give new sessions this version, or the newest. Running ones keep theirs.

    Examples:
      [bold]greenroom assistants publish mary[/bold]      the newest

      [bold]greenroom assistants publish mary 3[/bold]
    """
    version = _with_versions(state_dir, lambda r, _: r.publish(actor(), name, number))
    out.print(f"[green]✓[/green] New sessions with {escape(name)} get version {version.number}.")


@app.command()
def rollback(name: Name, number: Number = None, state_dir: StateDir = None) -> None:
    """Give new sessions the version that was published before, or the one that is named.

    Examples:
      [bold]greenroom assistants rollback mary[/bold]

      [bold]greenroom assistants rollback mary 2[/bold]
    """
    version = _with_versions(state_dir, lambda r, _: r.roll_back(actor(), name, number))
    out.print(f"[green]✓[/green] New sessions with {escape(name)} get version {version.number}.")


@app.command()
def delete(name: Name, state_dir: StateDir = None) -> None:
    """Take an assistant away from new sessions; its versions stay for those that run.

    Example:  [bold]greenroom assistants delete mary[/bold]
    """
    _with_versions(state_dir, lambda versions, _: versions.delete(actor(), name))
    out.print(f"[green]✓[/green] {escape(name)} is gone for new sessions.")


@app.command()
def kill(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; users are told.")] = "",
    state_dir: StateDir = None,
) -> None:
    """Switch an assistant off from the next start on, on every server of this database.

    Examples:
      [bold]greenroom assistants kill mary[/bold]

      [bold]greenroom assistants kill mary --reason "It is being mended."[/bold]
    """
    _with_versions(state_dir, lambda versions, _: versions.kill(actor(), name, reason))
    out.print(f"[green]✓[/green] Nobody can start {escape(name)}. Sessions that run go on.")


@app.command()
def revive(name: Name, state_dir: StateDir = None) -> None:
    """Let an assistant be started again.

    Example:  [bold]greenroom assistants revive mary[/bold]
    """
    revived = _with_versions(state_dir, lambda versions, _: versions.revive(actor(), name))
    done = "may be started again" if revived else "was not switched off"
    out.print(f"[green]✓[/green] {escape(name)} {done}.")


@app.command()
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Give records from before it a voiceSessionConfig, each in a new version. Twice is once.

    Where the newest version is the published one, the new one is published, too.

    Examples:
      [bold]greenroom assistants migrate --dry-run[/bold]

      [bold]greenroom assistants migrate[/bold]
    """

    async def run(versions: Versions, settings: Settings) -> list[str]:
        most = _bounds(settings)
        changed = []
        for standing in await versions.listed():
            newest = await versions.version(standing.name, standing.latest)
            limits = most.base_of(standing.name).most
            record = with_voice_session_config(
                newest.record,
                most_duration_s=limits.max_duration_s,
                most_persistence_s=limits.persistence_s,
            )
            if record is newest.record:
                continue
            changed.append(standing.name)
            if not dry_run:
                await versions.save(
                    actor(),
                    record,
                    based_on=standing.latest,
                    source=Source.COMMAND,
                    publish=standing.published == standing.latest,
                )
        return changed

    from greenroom.assistants.voice_config import with_voice_session_config
    from greenroom.ports.assistants import Source

    changed = _with_versions(state_dir, run)
    for name in changed:
        would = "would get" if dry_run else "has got"
        out.print(f"[green]✓[/green] {escape(name)} {would} a voiceSessionConfig.")
    if not changed:
        out.print("Every record has a voiceSessionConfig.")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a record, for editors.

    Example:  [bold]greenroom assistants schema > assistant.schema.json[/bold]
    """
    from greenroom.wire.assistants import AssistantRecord

    told = AssistantRecord.model_json_schema(by_alias=True)
    out.print(json.dumps(told, indent=2, ensure_ascii=False), markup=False)


def as_text(record: dict[str, Any], *, as_json: bool) -> str:
    """A record as a file holds it, in the order of its fields."""
    import yaml

    if as_json:
        return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)
    return text


def in_database(
    state_dir: Path | None, use: Callable[[Store, Versions, Settings], Awaitable[_T]]
) -> _T:
    """Use the database and the records in it; whatever is refused is said, and ends the command."""

    async def run(settings: Settings) -> _T:
        return await with_store(
            settings, lambda store: use(store, _records(settings, store), settings)
        )

    with refusals():
        return asyncio.run(run(read(state_dir)))


def _with_versions(
    state_dir: Path | None, use: Callable[[Versions, Settings], Awaitable[_T]]
) -> _T:
    return in_database(state_dir, lambda _, records, settings: use(records, settings))


def _records(settings: Settings, store: Store) -> Versions:
    from greenroom.commands.database import audit_in
    from greenroom.service.versions import Versions

    return Versions(store.assistants, audit_in(store), _bounds(settings))


def _bounds(settings: Settings) -> Bounds:
    """As the server has them; the bot that it was started with is known to it alone."""
    from greenroom.main import bounds_of

    return bounds_of(settings)


def _files(paths: list[Path]) -> list[Path]:
    from greenroom.assistants.folder import files_in

    found = [file for path in paths for file in (files_in(path) if path.is_dir() else [path])]
    if not found:
        fail("There is no record in there: files end in .yaml, .yml or .json.")
    return found


def _read(path: Path) -> FileRecord:
    from greenroom.assistants.folder import read_file

    return read_file(path)
