"""Where commands write: answers to standard output, the rest to standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from greenroom.errors import GreenroomError

# Rich colours only what a terminal shows, and nothing where NO_COLOR is set.
out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)

# Wide enough for a table whose cells hold ids and names.
WIDTH = 160


def wide() -> Console:
    """Where tables are written: into a file or a pipe nothing is cut off."""
    return out if out.is_terminal else Console(width=WIDTH, highlight=False)


def fail(message: str) -> NoReturn:
    """Say what is wrong and end the command with exit code 1."""
    err.print(f"[red]✗[/red] {escape(message)}")
    raise typer.Exit(1)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What Greenroom refuses within the block is said in its words, without a traceback.

    So is a file or folder that cannot be made, read or written.
    """
    try:
        yield
    except GreenroomError as error:
        fail(error.message)
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename}: {error.strerror}. The state folder is GREENROOM_STATE_DIR's.")


def a_table(*headings: str) -> Table:
    """A table without lines."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
