"""The chaos run with rooms on Daily and agents on Pipecat Cloud, both played by their stand-ins."""
