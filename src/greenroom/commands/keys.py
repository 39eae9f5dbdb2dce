"""``greenroom keys``: API keys for the servers of one's application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from greenroom.commands.database import actor, audit_in, opened
from greenroom.commands.operate import AsJson, StateDir
from greenroom.commands.terminal import a_table, err, fail, out, refusals, wide
from greenroom.wire.keys import MAX_KEY_DAYS, MAX_NAME_CHARS, MAX_TENANT_CHARS, KeyLine, Scope

if TYPE_CHECKING:
    from greenroom.ports.keys import ApiKey
    from greenroom.ports.store import Store
    from greenroom.service.keys import Keys

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "API keys: how the servers of your application show who they are.\n\n"
        "Example:  [bold]greenroom keys create web --scope tokens:mint[/bold]"
    ),
)

_DAY_S = 86_400.0


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What you will call it: the server's name, say.")],
    scopes: Annotated[list[Scope], typer.Option("--scope", help="What it may do; again for more.")],
    tenant: Annotated[
        str | None, typer.Option(help="The only tenant whose users it may name.")
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="How long it is good; until it is revoked, if not said.")
    ] = None,
    as_json: AsJson = False,
    state_dir: StateDir = None,
) -> None:
    """Make a key and print it, this once. Only its digest is kept.

    Examples:
      [bold]greenroom keys create web --scope tokens:mint[/bold]       tokens for signed-in users

      [bold]greenroom keys create app --scope sessions:start --scope sessions:end --days 90[/bold]

      [bold]greenroom keys create acme --scope tokens:mint --tenant acme[/bold]   for one tenant

      [bold]greenroom keys create public --scope sessions:start[/bold]   as a public key

      [bold]greenroom keys create prometheus --scope metrics[/bold]    reads /metrics, nothing else
    """
    if not 0 < len(name) <= MAX_NAME_CHARS:
        fail(f"A key's name has between 1 and {MAX_NAME_CHARS} characters.")
    if tenant is not None and not 0 < len(tenant) <= MAX_TENANT_CHARS:
        fail(f"A tenant's name has between 1 and {MAX_TENANT_CHARS} characters.")
    if days is not None and not 0 < days <= MAX_KEY_DAYS:
        fail(f"--days must be above 0 and at most {MAX_KEY_DAYS:g}.")
    lifetime_s = None if days is None else days * _DAY_S

    async def make(store: Store) -> tuple[str, ApiKey]:
        return await _keys(store).make(actor(), name, scopes, tenant, lifetime_s)

    from greenroom.service.keys import key_line
    from greenroom.wire.keys import KeyMade

    with refusals():
        secret, key = asyncio.run(opened(state_dir, make))
    if as_json:
        made = KeyMade(key=secret, line=key_line(key, time.time()))
        out.print(made.model_dump_json(by_alias=True), markup=False)
        return
    out.print(secret, markup=False)
    err.print(
        f"[green]✓[/green] {key.id}. It is shown this once: put it where your server finds its "
        "secrets, never into a page."
    )


@app.command(name="list")
def list_keys(
    everything: Annotated[
        bool, typer.Option("--all", help="Also revoked and expired ones.")
    ] = False,
    as_json: AsJson = False,
    state_dir: StateDir = None,
) -> None:
    """List keys, the newest first, and when each was last used.

    Examples:
      [bold]greenroom keys list[/bold]               those that are good

      [bold]greenroom keys list --all --json[/bold]  for machines
    """
    from greenroom.service.keys import key_line
    from greenroom.wire.keys import KeyLines

    async def listed(store: Store) -> list[ApiKey]:
        return await store.keys.listed()

    with refusals():
        found = asyncio.run(opened(state_dir, listed))
    now = time.time()
    lines = [key_line(key, now) for key in found if everything or key.is_good(now)]
    if as_json:
        out.print(KeyLines(keys=lines).model_dump_json(by_alias=True), markup=False)
    elif lines:
        wide().print(_table(lines), soft_wrap=False)
    else:
        out.print("There is no key. Make one: greenroom keys create --help")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how it begins.")],
    state_dir: StateDir = None,
) -> None:
    """Take a key back: from now on it opens nothing, on any server of this database.

    Example:  [bold]greenroom keys revoke key_1f3a[/bold]
    """

    async def take_back(store: Store) -> ApiKey:
        known = await store.keys.listed()
        key = _one_of([k for k in known if k.revoked_at is None], key_id)
        await _keys(store).revoke(actor(), key.id)
        return key

    with refusals():
        key = asyncio.run(opened(state_dir, take_back))
    out.print(f"[green]✓[/green] {key.id} ({escape(key.name)}) opens nothing any more.")


def _keys(store: Store) -> Keys:
    from greenroom.main import SystemClock
    from greenroom.service.keys import Keys

    return Keys(store.keys, SystemClock(), audit_in(store))


def _one_of(keys: Sequence[ApiKey], begins: str) -> ApiKey:
    found = [key for key in keys if begins and key.id.startswith(begins)]
    if len(found) != 1:
        fail(
            f"{len(found)} keys that are not revoked have an id that begins with “{begins}”. "
            "See: greenroom keys list"
        )
    return found[0]


def _table(lines: Sequence[KeyLine]) -> Table:
    table = a_table("id", "name", "begins", "scopes", "tenant", "last used", "expires", "")
    for line in lines:
        table.add_row(
            line.id,
            escape(line.name),
            line.begins,
            ", ".join(scope.value for scope in line.scopes),
            escape(line.tenant or "any"),
            _day_of(line.last_used_at) or "never",
            _day_of(line.expires_at) or "never",
            _standing_of(line),
        )
    return table


def _standing_of(line: KeyLine) -> str:
    if line.good:
        return "[green]good[/green]"
    return "[red]revoked[/red]" if line.revoked_at else "[yellow]expired[/yellow]"


def _day_of(at: str | None) -> str | None:
    return at[:16].replace("T", " ") if at else None
