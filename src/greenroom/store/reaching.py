"""Where a database's errors become Greenroom's: what was asked was wrong, or nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from greenroom.errors import BadRequest, Unavailable

# The class of errors about values (SQL:2016, 24.1): a text too long, a zero byte. SQLite has none.
_DATA_EXCEPTION = "22"
# https://www.postgresql.org/docs/current/errcodes-appendix.html, https://sqlite.org/rescode.html
_FULL = frozenset({"53100", "SQLITE_FULL"})


@contextmanager
def reachable() -> Iterator[None]:
    """The one place where a database's errors become Greenroom's."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, OSError) as error:
        if _sqlstate(error).startswith(_DATA_EXCEPTION):
            raise BadRequest("A value does not fit into the database.") from error
        if _FULL & {_sqlstate(error), _sqlite_name(error)}:
            raise Unavailable("The database's disk is full, so nothing can be kept.") from error
        raise Unavailable("The database does not answer. Try again in a moment.") from error


def _sqlstate(error: Exception) -> str:
    """The standard's code of an error, as PostgreSQL tells it; empty if there is none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _sqlite_name(error: Exception) -> str:
    """SQLite's own name of an error; empty if there is none."""
    return getattr(getattr(error, "orig", None), "sqlite_errorname", None) or ""
