"""``greenroom tools``: which functions an assistant would have here, and which it lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from greenroom.commands.operate import AsJson
from greenroom.commands.terminal import a_table, err, fail, out, refusals, wide

if TYPE_CHECKING:
    from greenroom.wire.assistants import BotRecord
    from greenroom.wire.listing import Listing

# Importing people's functions and installing nothing: an MCP server has five seconds to answer.
WITHIN_S = 60.0


def tools(
    path: Annotated[
        Path, typer.Argument(help="An assistant's YAML or JSON file.", exists=True, dir_okay=False)
    ],
    as_json: AsJson = False,
) -> None:
    """List what an assistant could call: its functions, who carries each out, and their arguments.

    It looks as a bot here would: imports the files in GREENROOM_TOOLS_DIR, and asks the MCP servers
    in GREENROOM_MCP_SERVERS that the record names. Exits with 1 if a tool is missing.

    Examples:
      [bold]greenroom tools mary.yaml[/bold]

      [bold]greenroom tools mary.yaml --json[/bold]   with the whole schemas
    """
    from greenroom.assistants.folder import read_file

    with refusals():
        record = read_file(path).record
    found = _listed(record.for_bot())
    if as_json:
        out.print(found.model_dump_json(by_alias=True, indent=2), markup=False)
    elif found.functions:
        table = a_table("function", "tool", "by", "arguments", "what for")
        for one in found.functions:
            what = one.description.splitlines()[0] if one.description else ""
            arguments = escape(_arguments(one.parameters))
            table.add_row(one.name, one.tool, one.where.value, arguments, escape(what))
        wide().print(table, soft_wrap=False)
    else:
        out.print("It has no tools. Name some in its record: tools: [notes]")
    for problem in found.problems:
        err.print(f"[red]✗[/red] {escape(problem)}")
    for problem in found.folder_problems:
        err.print(f"[yellow]![/yellow] {escape(problem)}")
    if found.problems:
        raise typer.Exit(1)


def _listed(record: BotRecord) -> Listing:
    """Ask in a process of its own: people's functions are a bot's matter, as its environment is."""
    from greenroom.launch.config import supervisor_environment
    from greenroom.wire.assistants import as_data
    from greenroom.wire.listing import Listing

    try:
        asked = subprocess.run(
            [sys.executable, "-m", "greenroom.bot.tools.listing"],
            input=json.dumps(as_data(record)),
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            env=supervisor_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        fail(f"The tools could not be listed in {WITHIN_S:g} s.")
    if asked.returncode:
        fail(f"The tools could not be listed: {asked.stderr.strip()[-500:]}")
    # What people's files print when they are imported stands before it.
    return Listing.model_validate_json(asked.stdout.splitlines()[-1])


def _arguments(schema: dict[str, Any]) -> str:
    """The arguments' names; in brackets what may be left out."""
    needed = schema.get("required", [])
    return ", ".join(
        name if name in needed else f"[{name}]" for name in schema.get("properties", {})
    )
