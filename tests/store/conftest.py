"""What runs on both kinds of database."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite_file", "postgres_url"])
def place(request: pytest.FixtureRequest) -> Path | str:
    """Where the database is: a file, or an address."""
    found: Path | str = request.getfixturevalue(request.param)
    return found
