"""The relay: one stable public address for webhooks to a developer's machine."""
