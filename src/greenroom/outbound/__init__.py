"""Calls to addresses that people gave us: only where it is allowed, and never for long."""
