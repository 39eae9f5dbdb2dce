"""A real server, real bot processes, and seeded misfortune; then the record is held to its word."""
