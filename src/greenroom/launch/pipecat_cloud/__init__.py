"""Agents on Pipecat Cloud: started, listed and stopped by its API, and remembered here."""
