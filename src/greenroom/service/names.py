"""Ids, room names and secrets: who may be guessed and who may not."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from greenroom.ports.open_rooms import open_name
from greenroom.session.model import DEFAULT_TENANT
from greenroom.wire.reports import webhook_secret

_ROOM_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
# Daily's room names are at most 128 of [A-Za-z0-9-_]; ours keep to that everywhere.
_ROOM_USER_CHARS = 96


def new_id(prefix: str) -> str:
    """A new id that nobody can guess: ``prefix_`` and 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Keyring:
    """Everything derived from the installation's one secret.

    Args:
        secret: The installation's secret; whoever has it can be anybody.
    """

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def room_for(self, user_id: str, assistant: str, tenant: str = DEFAULT_TENANT) -> str:
        """``voice-{user}-{12 hex}``: always the same for one user, guessed by nobody else."""
        user = _ROOM_UNSAFE.sub("-", user_id)[:_ROOM_USER_CHARS]
        # Where there is only one tenant, rooms are called as they were before there were several.
        whose = ("room",) if tenant == DEFAULT_TENANT else ("room of", tenant)
        return f"voice-{user}-{self._digest(*whose, user_id, assistant)[:12]}"

    def open_room_for(self, session_id: str) -> str:
        """A room of one session alone, whose name is what lets people in: 128 bits of it."""
        return open_name(self._digest("open room", session_id)[:32])

    def call_room(self, user_id: str, session_id: str) -> str:
        """``group-{host}-{12 hex}``: the room of one group call, and of no other."""
        user = _ROOM_UNSAFE.sub("-", user_id)[:_ROOM_USER_CHARS]
        return f"group-{user}-{self._digest('group call', session_id)[:12]}"

    def launch_secret(self, launch_id: str) -> str:
        """The secret of one launch; derived, so that it need not be kept."""
        return self._digest("launch", launch_id)

    def is_launch_secret(self, launch_id: str, offered: str) -> bool:
        """Whether this is the launch's secret, compared in constant time."""
        # As bytes: of text it compares only ASCII, and what is offered may be anything.
        return hmac.compare_digest(self.launch_secret(launch_id).encode(), offered.encode())

    def alias_of(self, user_id: str, tenant: str) -> str:
        """Who a user is once erased: always the same, and without the secret nobody's."""
        return f"erased-{self._digest('erased', tenant, user_id)[:16]}"

    def webhook_secret(self, launch_id: str) -> str:
        """What the bot of this launch signs its webhooks with."""
        return webhook_secret(self.launch_secret(launch_id))

    def _digest(self, *parts: str) -> str:
        message = "\0".join(parts).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def digest_of(ticket: str) -> str:
    """What is kept of a one-time ticket."""
    return hashlib.sha256(ticket.encode()).hexdigest()
