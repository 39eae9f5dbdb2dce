"""``greenroom token``: signed names, for users of one's application and for operators."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.commands.operate import StateDir, read
from greenroom.commands.terminal import err, fail, out, refusals
from greenroom.errors import GreenroomError

if TYPE_CHECKING:
    from greenroom.ports.store import Store
    from greenroom.settings import Settings

MAX_HOURS = 24.0 * 366
LOG_WITHIN_S = 5.0


def token(
    name: Annotated[str, typer.Argument(help="The user's id, or the operator's name.")],
    operator: Annotated[
        bool, typer.Option("--operator", help="May see and end sessions, and stop everything.")
    ] = False,
    tenant: Annotated[str | None, typer.Option(help="The user's tenant.")] = None,
    hours: Annotated[float, typer.Option(help="How long it is good.")] = 8.0,
    state_dir: StateDir = None,
) -> None:
    """Print a token, signed with this installation's secret. Whoever has it is that person.

    Examples:
      [bold]greenroom token ada[/bold]                              a user, for eight hours

      [bold]greenroom token grafana --operator --hours 720[/bold]   reads /metrics for a month
    """
    from greenroom.api.identity import Identity

    if not name or len(name) > 255:
        fail("A name has between 1 and 255 characters.")
    if not 0 < hours <= MAX_HOURS:
        fail(f"--hours must be above 0 and at most {MAX_HOURS:g}.")
    if operator and tenant is not None:
        fail("An operator is of no tenant.")
    with refusals():
        settings = read(state_dir)
        identity = Identity(settings.installation_secret(), anonymous=False)
    lifetime_s = hours * 3600
    signed = (
        identity.operator_token(name, lifetime_s)
        if operator
        else identity.token_for(name, lifetime_s, tenant)
    )
    if operator:
        asyncio.run(_put_on_record(settings, name, hours))
    out.print(signed, markup=False)


async def _put_on_record(settings: Settings, name: str, hours: float) -> None:
    """On the audit log, if there is one within reach; a token can be signed without."""
    from greenroom.commands.database import actor, audit_in, with_store
    from greenroom.ports.audit import Act

    async def note(store: Store) -> None:
        async with audit_in(store).of(actor(), Act.OPERATOR_TOKEN, name, hours=hours):
            pass

    try:
        async with asyncio.timeout(LOG_WITHIN_S):
            await with_store(settings, note)
    except (GreenroomError, TimeoutError):
        err.print("[dim]Not on the audit log: there is no database here, or it does not answer.")
