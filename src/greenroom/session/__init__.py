"""The session core: pure. Model, lifecycle, deadlines; no I/O, no clock, no randomness."""
