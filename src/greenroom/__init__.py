"""Greenroom: the session layer for voice agents."""

__version__ = "0.1.0"
