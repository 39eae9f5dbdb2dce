"""Whole calls: a real server, real bots, and a real browser whose microphone the test feeds."""
