"""``greenroom rollout``: for whom Greenroom speaks, and how that compares with the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from greenroom.commands.assistants import in_database
from greenroom.commands.database import actor
from greenroom.commands.operate import AsJson, StateDir
from greenroom.commands.terminal import a_table, fail, out, wide

if TYPE_CHECKING:
    from greenroom.ports.assistants import Version
    from greenroom.ports.store import Store
    from greenroom.service.rollout import RollingOut
    from greenroom.service.versions import Versions
    from greenroom.settings import Settings
    from greenroom.wire.rollout import AssistantReport, RolloutReport, SideReport

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Moving users over from VAPI, a share at a time.\n\n"
        "Example:  [bold]greenroom rollout set mary 10[/bold]"
    ),
)


@app.command()
def report(
    days: Annotated[float, typer.Option(min=0.01, max=366, help="Over so many days.")] = 7,
    assistant: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    as_json: AsJson = False,
    state_dir: StateDir = None,
) -> None:
    """Compare both sides: conversations, failures, time to the first word, cost.

    What the other side did is told by your application; see docs/moving-from-vapi.md.

    Examples:
      [bold]greenroom rollout report[/bold]

      [bold]greenroom rollout report --assistant mary --days 1 --json[/bold]
    """

    async def look(store: Store, versions: Versions, settings: Settings) -> RolloutReport:
        return await _rolling_out(store, settings).report(days, assistant)

    found = in_database(state_dir, look)
    if as_json:
        out.print(found.model_dump_json(by_alias=True), markup=False)
        return
    if not found.assistants:
        out.print("There was no conversation, and no page has asked.")
        return
    for one in found.assistants:
        _print(one)
    if found.truncated:
        out.print("[yellow]There were more conversations; only the newest are counted.[/yellow]")


@app.command(name="set")
def set_percentage(
    name: Annotated[str, typer.Argument(help="The assistant's name.")],
    percentage: Annotated[float, typer.Argument(help="0 to 100.")],
    tenant: Annotated[str | None, typer.Option(help="Only for this tenant's users.")] = None,
    state_dir: StateDir = None,
) -> None:
    """Publish a version of the record with another percentage. Raised, it puts nobody out.

    Examples:
      [bold]greenroom rollout set mary 10[/bold]

      [bold]greenroom rollout set mary 100 --tenant acme[/bold]

      [bold]greenroom rollout set mary 0[/bold]     everybody back, from the next start on
    """
    from greenroom.ports.assistants import Source

    async def change(store: Store, versions: Versions, settings: Settings) -> Version:
        standing = await versions.standing(name)
        known = await versions.version(name)
        rollout = dict(known.record.get("rollout", {}))
        if tenant is None:
            rollout["percentage"] = percentage
        else:
            rollout["tenants"] = {**rollout.get("tenants", {}), tenant: percentage}
        return await versions.save(
            actor(),
            {**known.record, "rollout": rollout},
            based_on=standing.latest,
            source=Source.COMMAND,
            publish=True,
        )

    version = in_database(state_dir, change)
    whose = f"the users of {tenant}" if tenant else "users"
    out.print(
        f"[green]✓[/green] {percentage:g} % of {escape(whose)} with {escape(name)} come to "
        f"Greenroom from now on (version {version.number})."
    )


@app.command()
def decide(
    name: Annotated[str, typer.Argument(help="The assistant's name.")],
    user: Annotated[str, typer.Argument(help="The user's id.")],
    tenant: Annotated[str, typer.Option(help="The user's tenant.")] = "default",
    state_dir: StateDir = None,
) -> None:
    """Say which side the record gives a user, and why. Nothing is put on record.

    Example:  [bold]greenroom rollout decide mary ada@example.org[/bold]
    """
    from greenroom.assistants.records import parse
    from greenroom.assistants.rollout import decide as decided

    async def look(store: Store, versions: Versions, settings: Settings) -> Version:
        return await versions.version(name)

    version = in_database(state_dir, look)
    if not 0 < len(user) <= 255:
        fail("A user's id has 1 to 255 characters.")
    decision = decided(parse(version.record).rollout, name, user, tenant)
    out.print(f"{decision.side.value} ({decision.reason.value})", markup=False)


def _rolling_out(store: Store, settings: Settings) -> RollingOut:
    from greenroom.main import SystemClock, bounds_of
    from greenroom.service.assistants import Catalogue
    from greenroom.service.metrics import Metrics
    from greenroom.service.rollout import RollingOut

    catalogue = Catalogue(bounds_of(settings), store.assistants)
    return RollingOut(catalogue, store, store.rollout, SystemClock(), Metrics())


def _print(one: AssistantReport) -> None:
    table = a_table(escape(one.assistant), "Greenroom", "VAPI")
    for heading, of in _ROWS:
        table.add_row(heading, of(one.greenroom), of(one.vapi))
    wide().print(table, soft_wrap=False)
    for line in one.decisions:
        said = f"  {line.provider}: {line.users} users, asked {line.times} times ({line.reason})"
        out.print(said, markup=False)
    out.print()


def _failures(side: SideReport) -> str:
    share = "" if side.failure_share is None else f" ({side.failure_share:.1%})"
    return f"{side.failures}{share}"


def _cost(side: SideReport) -> str:
    each = "" if side.mean_cost_usd is None else f" (${side.mean_cost_usd:.4f} each)"
    return f"${side.cost_usd:.2f}{each}" if side.costs else "unknown"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f} s"


_ROWS = (
    ("conversations", lambda side: str(side.sessions)),
    ("failures", _failures),
    ("first word, half of them", lambda side: _seconds(side.first_word_p50_s)),
    ("first word, 95 of 100", lambda side: _seconds(side.first_word_p95_s)),
    ("mean length", lambda side: _seconds(side.mean_duration_s)),
    ("cost", _cost),
)
