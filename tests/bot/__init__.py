"""Tests of what runs inside the bot's process, with real processes, sockets, audio and peers."""
