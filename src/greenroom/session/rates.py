"""How often somebody may ask, per minute: what is counted, of whom, and how much is usual."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Rate(StrEnum):
    """What is counted, and of whom."""

    STARTS = "starts"
    """Starts of sessions, of a user."""
    OFFERS = "offers"
    """Offers of media, of a user."""
    CONTROLS = "controls"
    """Mutes, pauses, answers of a page's tools, and deleted notes, of a user."""
    MESSAGES = "messages"
    """Typed messages, and what a running assistant is told, of a user."""
    TICKETS = "tickets"
    """Tickets for the event socket, of a user."""
    DECISIONS = "decisions"
    """Questions which side serves the next conversation, of a user."""
    TOKENS = "tokens"
    """User tokens, of an API key."""
    KEY_CALLS = "key_calls"
    """Calls of whatever kind, of an API key."""
    REPORTS = "reports"
    """Reports by webhook, of a launch."""
    BAD_LOGINS = "bad_logins"
    """Tokens and keys that are not good, of an address."""


# More than any page of ours does, however often it is clicked, reloaded and cut off.
PER_MIN: Mapping[Rate, int] = {
    Rate.STARTS: 30,
    Rate.OFFERS: 120,
    Rate.CONTROLS: 600,
    Rate.MESSAGES: 120,
    Rate.TICKETS: 120,
    Rate.DECISIONS: 120,
    Rate.TOKENS: 1_200,
    Rate.KEY_CALLS: 6_000,
    # A bot that reports every partial transcript says ten things a second.
    Rate.REPORTS: 6_000,
    Rate.BAD_LOGINS: 60,
}
