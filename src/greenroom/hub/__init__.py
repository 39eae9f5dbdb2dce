"""Waking whoever waits for a change: in memory."""
