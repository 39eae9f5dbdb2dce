"""Assistants: their records read and checked, overridden per start, rolled out, imported. Pure."""
