"""Where sessions are kept: SQLite by default; one contract for every store."""
