"""What `bench/events.py` runs: servers and thousands of browsers, each in its own process."""
