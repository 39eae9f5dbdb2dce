"""Rooms: where page and bot meet."""
