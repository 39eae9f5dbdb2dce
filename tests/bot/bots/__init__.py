"""Bots for the tests: small, real Pipecat pipelines."""
