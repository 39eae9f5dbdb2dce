"""The launcher for this machine, with real processes."""
