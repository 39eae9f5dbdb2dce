"""The parts of `bench/goodbye.py`: bot, server and page that note when a step is reached."""
