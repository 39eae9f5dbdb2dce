"""``greenroom data``, ``greenroom transcript``: what is kept of people, shown and erased."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.markup import escape

from greenroom.commands.database import actor, audit_in, with_store
from greenroom.commands.operate import AsJson, StateDir, read
from greenroom.commands.terminal import err, fail, out, refusals
from greenroom.session.model import DEFAULT_TENANT

if TYPE_CHECKING:
    from greenroom.ports.store import Store
    from greenroom.service.people import People
    from greenroom.settings import Settings
    from greenroom.wire.records import ErasedBody, Line, TranscriptBody

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "What is kept of a user: exported, or erased, when they ask for it.\n\n"
        "Example:  [bold]greenroom data export ada > ada.ndjson[/bold]"
    ),
)

_T = TypeVar("_T")
User = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]
Tenant = Annotated[str, typer.Option(help="Whose user it is.")]


def transcript(
    session_id: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")],
    as_json: AsJson = False,
    state_dir: StateDir = None,
) -> None:
    """Show what was said in a session, typed words among it.

    Examples:
      [bold]greenroom transcript ses_1f0c…[/bold]          for people

      [bold]greenroom transcript ses_1f0c… --json[/bold]   for machines
    """

    async def said(store: Store, people: People) -> TranscriptBody:
        return await people.transcript(await store.get(session_id))

    with refusals():
        found = _with_people(read(state_dir), said)
    if as_json:
        out.print(found.model_dump_json(by_alias=True, indent=2), markup=False)
        return
    for line in found.lines:
        out.print(_shown(line))
    if not found.lines:
        out.print("Nothing was said, or it is not kept any more.")
    if found.more:
        err.print("[yellow]![/yellow] There is more. See: greenroom data export --help")


@app.command()
def export(
    user_id: User,
    tenant: Tenant = DEFAULT_TENANT,
    to: Annotated[
        Path | None, typer.Option("--out", help="Into this new file, readable by you alone.")
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Write everything that is kept of a user: a JSON object a line.

    The user, each session with its events, their notes, and what they cost by day.

    Examples:
      [bold]greenroom data export ada --out ada.ndjson[/bold]

      [bold]greenroom data export ada --tenant acme | grep voice.transcript[/bold]
    """
    from greenroom.ports.audit import Act

    async def write(store: Store, people: People) -> None:
        async with audit_in(store).of(actor(), Act.EXPORT, user_id, tenant=tenant):
            with _opened(to) as file:
                async for record in people.export(user_id, tenant):
                    file.write(record.to_json() + "\n")

    with refusals():
        _with_people(read(state_dir), write)
    if to is not None:
        err.print(f"[green]✓[/green] {escape(str(to))}")


@app.command()
def erase(
    user_id: User,
    tenant: Tenant = DEFAULT_TENANT,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Erase a user: names, words and notes, for good. Times and costs remain under another name.

    What servers and operators did for them stays on the audit log, which nobody can change.

    Examples:
      [bold]greenroom data erase ada[/bold]                       asks first

      [bold]greenroom data erase ada --tenant acme --yes[/bold]   for scripts
    """
    from greenroom.ports.audit import Act

    if not yes and not typer.confirm(f"Erase {user_id} of {tenant}, for good?"):
        fail("Nothing was erased.")

    async def do(store: Store, people: People) -> ErasedBody:
        alias = people.alias_of(user_id, tenant)
        async with audit_in(store).of(actor(), Act.ERASE, alias) as doing:
            erased = await people.erase(user_id, tenant)
            doing.detail.update(sessions=erased.sessions, events=erased.events, notes=erased.notes)
        return erased

    with refusals():
        erased = _with_people(read(state_dir), do)
    if erased.notes:
        out.print(f"[green]✓[/green] Erased: {erased.notes} notes.")
    if erased.sessions:
        out.print(
            f"[green]✓[/green] Erased: {erased.events} events of {erased.sessions} sessions, which "
            f"are {erased.alias}'s now."
        )
    if not (erased.sessions or erased.notes):
        out.print("Nothing is kept of this user.")


def _with_people(settings: Settings, use: Callable[[Store, People], Awaitable[_T]]) -> _T:
    from greenroom.main import SystemClock
    from greenroom.service.names import Keyring
    from greenroom.service.people import People

    keyring = Keyring(settings.installation_secret())

    async def run(store: Store) -> _T:
        return await use(store, People(store, SystemClock(), keyring))

    return asyncio.run(with_store(settings, run))


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    try:
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        fail(f"{path} cannot be made ({error.strerror}).")
    with path.open("w", encoding="utf-8") as file:
        yield file


def _shown(line: Line) -> str:
    colour = "cyan" if line.role == "user" else "green"
    return f"[dim]{line.time[11:19]}[/dim] [{colour}]{line.role:>9}[/{colour}]  {escape(line.text)}"
