"""Rooms on Daily, and Daily's stand-in."""
