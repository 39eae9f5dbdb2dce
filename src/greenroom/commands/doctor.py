"""``greenroom doctor``: what is wrong with this machine or its settings, and how to mend it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from greenroom.commands.terminal import err, out


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    call: Annotated[
        bool, typer.Option("--call/--no-call", help="Start a server and call its bot.")
    ] = True,
    host: Annotated[str | None, typer.Option(help="Address that the server will use.")] = None,
    port: Annotated[int | None, typer.Option(help="Port that the server will use.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="The server's state folder.")] = None,
    assistant: Annotated[
        str | None,
        typer.Option(help="Try this assistant's services only: one small call to its model."),
    ] = None,
) -> None:
    """Look at this machine and the settings, call the built-in bot, and say what to mend.

    Changes nothing. Ends with exit code 1 if there is a problem; warnings do not count.

    Examples:
      [bold]greenroom doctor[/bold]                           all of it, in about ten seconds

      [bold]greenroom doctor --no-call[/bold]                 looks only

      [bold]greenroom doctor --json | jq .findings[/bold]     for machines

      [bold]greenroom doctor --host 0.0.0.0[/bold]            before opening it to other machines

      [bold]greenroom doctor --assistant mary[/bold]          whether she has all that she needs
    """
    from greenroom.doctor.checkup import Wanted, check_up
    from greenroom.doctor.report import as_json as json_of
    from greenroom.doctor.report import as_table, is_healthy, summary
    from greenroom.logs import configure_logs

    configure_logs("error", as_json=False)  # what is found is told, in the findings
    with err.status("Looking …") as status:
        findings = asyncio.run(
            check_up(
                Wanted(host, port, state_dir, call, assistant),
                step=lambda what: status.update(f"Looking at {what} …"),
            )
        )
    if as_json:
        out.print(json_of(findings), markup=False)
    else:
        out.print(as_table(findings), soft_wrap=False)
        out.print(f"\n{summary(findings)}")
    if not is_healthy(findings):
        raise typer.Exit(1)
