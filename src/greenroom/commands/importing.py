"""``greenroom import``: assistants of VAPI, or from MongoDB, as records."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from greenroom.commands.assistants import as_text, in_database
from greenroom.commands.database import actor
from greenroom.commands.operate import AsJson, StateDir
from greenroom.commands.terminal import err, fail, out, refusals

if TYPE_CHECKING:
    from greenroom.assistants.taking import Imported
    from greenroom.ports.assistants import Version
    from greenroom.ports.store import Store
    from greenroom.service.versions import Versions
    from greenroom.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Bring assistants over from elsewhere, and see what has no equal here.\n\n"
        "Example:  [bold]greenroom import vapi assistants.json --to assistants/[/bold]"
    ),
)

KEY = "VAPI_API_KEY"
To = Annotated[
    Path | None, typer.Option("--to", help="Write each record as a YAML file into this folder.")
]
Save = Annotated[
    bool, typer.Option("--save", help="Keep each as a new version; publish it yourself.")
]
File = Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="A JSON file.")]


@app.command()
def vapi(
    file: File = None,
    api: Annotated[
        bool, typer.Option("--api", help=f"Ask VAPI, with the private key in {KEY}.")
    ] = False,
    to: To = None,
    save: Save = False,
    as_json: AsJson = False,
    url: Annotated[str, typer.Option(hidden=True)] = "https://api.vapi.ai",
    state_dir: StateDir = None,
) -> None:
    """Turn VAPI's assistants into records, and list every field that has no equal.

    Nobody comes to Greenroom by it: each record's roll-out is at 0 %.

    Examples:
      [bold]greenroom import vapi assistants.json[/bold]          only look

      [bold]VAPI_API_KEY=… greenroom import vapi --api --to assistants/[/bold]

      [bold]greenroom import vapi assistants.json --save[/bold]   as versions, not published
    """
    from greenroom.assistants.vapi import assistants_in, from_vapi

    if api == (file is not None):
        fail("Name a file, or say --api.")
    with refusals():
        if file is None:
            found: list[Mapping[str, Any]] = asyncio.run(_fetched(url))
        else:
            found = assistants_in(_json(file))
        imported = _unique(_each(found, from_vapi))
        _deliver(imported, to, save, as_json, state_dir)


@app.command()
def mongo(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="As exported.")],
    to: To = None,
    save: Save = False,
    as_json: AsJson = False,
    state_dir: StateDir = None,
) -> None:
    """Turn documents that mongoexport wrote (an array, or one a line) into records.

    Those without a voiceSessionConfig get one.

    Examples:
      [bold]mongoexport -c assistants -o assistants.json[/bold] and then
      [bold]greenroom import mongo assistants.json --to assistants/[/bold]

      [bold]greenroom import mongo assistants.json --json[/bold]   the records and what was dropped
    """
    from greenroom.assistants.mongo import documents_in, from_mongo

    with refusals():
        documents = documents_in(file.read_text(encoding="utf-8"))
        imported = _unique(_each(documents, from_mongo))
        _deliver(imported, to, save, as_json, state_dir)


async def _fetched(url: str) -> list[Mapping[str, Any]]:
    from greenroom.outbound.vapi import MOST_PAGES, PAGE, VapiAccount
    from greenroom.service.policies import Outside, outside

    key = os.environ.get(KEY, "").strip()
    if not key:
        fail(f"{KEY} is not set. It is your organisation's private key at VAPI.")
    account = VapiAccount(key, url)
    found: dict[str, Mapping[str, Any]] = {}
    before: str | None = None
    try:
        for _ in range(MOST_PAGES):
            since = before
            page = await outside(Outside.VAPI, lambda at=since: account.page(at))  # type: ignore[misc]
            found.update((str(one.get("id")), one) for one in page)
            oldest = min((str(one.get("createdAt")) for one in page), default=None)
            if len(page) < PAGE or oldest == before:
                break
            before = oldest
    finally:
        await account.aclose()
    if not found:
        fail("There is no assistant in this organisation at VAPI.")
    return list(found.values())


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        fail(f"{file.name} is no JSON ({type(error).__name__}).")


def _each(
    found: Iterable[Mapping[str, Any]], made: Callable[[Mapping[str, Any]], Imported]
) -> list[Imported]:
    return [made(one) for one in found]


def _unique(imported: list[Imported]) -> list[Imported]:
    """Two assistants may have one name elsewhere; here the later ones get a number."""
    from dataclasses import replace

    seen: dict[str, int] = {}
    unique = []
    for one in imported:
        name = one.record.name
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            called = f"{name[:58]}-{seen[name]}"
            note = f"name: another is called “{name}”, so this one is “{called}”"
            record = one.record.model_copy(update={"name": called})
            one = replace(one, record=record, notes=[*one.notes, note])
        unique.append(one)
    return unique


def _deliver(
    imported: list[Imported], to: Path | None, save: bool, as_json: bool, state_dir: Path | None
) -> None:
    if to is not None:
        _write(imported, to)
    kept = _save(imported, state_dir) if save else []
    if as_json:
        out.print(json.dumps(_as_data(imported), indent=2, ensure_ascii=False), markup=False)
        return
    for one in imported:
        _print(one)
    for version in kept:
        out.print(f"[green]✓[/green] {escape(version.name)} {version.number} is saved.")
    if to is None and not save:
        err.print("Nothing was written: say --to FOLDER or --save.")


def _write(imported: list[Imported], to: Path) -> None:
    from greenroom.wire.assistants import as_data

    to.mkdir(parents=True, exist_ok=True)
    taken = [path for one in imported if (path := to / f"{one.record.name}.yaml").exists()]
    if taken:
        fail(f"{taken[0]} is there already; nothing was written.")
    for one in imported:
        text = as_text(as_data(one.record), as_json=False)
        (to / f"{one.record.name}.yaml").write_text(text, encoding="utf-8")


def _save(imported: list[Imported], state_dir: Path | None) -> list[Version]:
    from greenroom.ports.assistants import Source
    from greenroom.wire.assistants import as_data

    async def keep(store: Store, versions: Versions, settings: Settings) -> list[Version]:
        return [
            await versions.save(actor(), as_data(one.record), source=Source.IMPORT)
            for one in imported
        ]

    return in_database(state_dir, keep)


def _as_data(imported: list[Imported]) -> dict[str, Any]:
    from greenroom.wire.assistants import as_data

    return {
        "assistants": [
            {
                "name": one.record.name,
                "record": as_data(one.record),
                "dropped": [{"field": d.field, "why": d.why} for d in one.dropped],
                "notes": one.notes,
            }
            for one in imported
        ]
    }


def _print(one: Imported) -> None:
    count = len(one.dropped)
    out.print(f"[bold]{escape(one.record.name)}[/bold]: {count} fields have no equal")
    for note in one.notes:
        out.print(f"  [yellow]![/yellow] {escape(note)}")
    for dropped in one.dropped:
        out.print(f"  – {escape(dropped.field)} [dim]{escape(dropped.why)}[/dim]")
