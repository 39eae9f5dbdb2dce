"""VAPI's words: its calls over HTTP, its messages in the room, and those to a customer's server.

Sources: VAPI's API reference as its own web SDK carries it (`api.ts` of @vapi-ai/web 2.7.1), that
SDK's source, and https://docs.vapi.ai/server-url/events (November 2026).
"""
