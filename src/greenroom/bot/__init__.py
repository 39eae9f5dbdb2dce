"""What runs inside the bot process; the only importer of Pipecat."""
