"""What VAPI calls services and settings, in Pipecat's words; None: VAPI's own, nobody else's."""

from __future__ import annotations

LLMS: dict[str, str | None] = {
    "openai": "openai",
    "azure-openai": "azure",
    "anthropic": "anthropic",
    "anthropic-bedrock": "aws",
    "google": "google",
    "groq": "groq",
    "together-ai": "together",
    "openrouter": "openrouter",
    "perplexity-ai": "perplexity",
    "deep-seek": "deepseek",
    "cerebras": "cerebras",
    "xai": "grok",
    "minimax": "minimax",
    # Any address that speaks OpenAI's wire.
    "custom-llm": "openai",
    "vapi": None,
}

TTSS: dict[str, str | None] = {
    "11labs": "elevenlabs",
    "azure": "azure",
    "cartesia": "cartesia",
    "deepgram": "deepgram",
    "hume": "hume",
    "inworld": "inworld",
    "minimax": "minimax",
    "neuphonic": "neuphonic",
    "openai": "openai",
    "rime-ai": "rime",
    "sesame": "sesame",
    "smallest-ai": "smallest",
    "custom-voice": None,
    "vapi": None,
}

STTS: dict[str, str | None] = {
    "11labs": "elevenlabs",
    "assembly-ai": "assemblyai",
    "azure": "azure",
    "cartesia": "cartesia",
    "deepgram": "deepgram",
    "gladia": "gladia",
    "google": "google",
    "openai": "openai",
    "soniox": "soniox",
    "speechmatics": "speechmatics",
    "custom-transcriber": None,
}

SETTINGS: dict[str, dict[str, str]] = {
    "model": {
        "model": "model",
        "temperature": "temperature",
        "maxTokens": "max_tokens",
        "url": "base_url",
    },
    "voice": {"model": "model", "language": "language"},
    "transcriber": {
        "model": "model",
        "keywords": "keywords",
        "keyterm": "keyterm",
        "keytermsPrompt": "keyterms_prompt",
        "smartFormat": "smart_format",
        "endpointing": "endpointing",
        "numerals": "numerals",
    },
}

VOICE_PARAMETERS: dict[str, str] = {
    "speed": "speed",
    "stability": "stability",
    "similarityBoost": "similarity_boost",
    "style": "style",
    "useSpeakerBoost": "use_speaker_boost",
    "emotion": "emotion",
    "instructions": "instructions",
    "volume": "volume",
}
