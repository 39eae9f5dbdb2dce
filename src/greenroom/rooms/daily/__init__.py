"""Rooms on Daily: private, for two, with tokens of our own making."""
