"""API keys of applications' servers: what they may do, and the bodies of making and listing them.

Not part of the schema that browsers are built from: no page holds such a key.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from greenroom.session.model import DEFAULT_TENANT
from greenroom.wire.base import WireModel

# Told apart at a glance, by people and by programs that look for secrets where none belong.
KEY_PREFIX = "gr_"
MAX_NAME_CHARS = 64
MAX_TENANT_CHARS = 128
MAX_USER_ID_CHARS = 255
MAX_KEY_DAYS = 3_660.0
TOKEN_LIFETIME_S = 900.0
MIN_TOKEN_LIFETIME_S = 10.0
MAX_TOKEN_LIFETIME_S = 3_600.0


class Scope(StrEnum):
    """What a key may do. Part of the interface."""

    START = "sessions:start"
    """Start sessions, and connect to them, for a user whom it names."""
    READ = "sessions:read"
    """See a user's sessions, what they cost, and follow their events."""
    CONTROL = "sessions:control"
    """Mute, pause and write in a user's session."""
    DIRECT = "sessions:direct"
    """Tell the assistant in a user's session what to say, what to know, and how to be."""
    END = "sessions:end"
    """End a user's session."""
    TOKENS = "tokens:mint"
    """Get short-lived tokens for the application's own signed-in users."""
    METRICS = "metrics"
    """Read the metrics."""
    DELIVERIES = "deliveries"
    """See and replay the deliveries of events."""
    ASSISTANTS = "assistants"
    """See, change, publish and switch off the records of assistants."""
    OUTCOMES = "outcomes"
    """Tell how conversations went on the other side of a roll-out."""
    OPERATE = "operate"
    """Everything that an operator may, the stop button included."""


# What these open is the whole house's, so no tenant's key can have them.
OF_THE_WHOLE_HOUSE = frozenset({Scope.METRICS, Scope.DELIVERIES, Scope.ASSISTANTS, Scope.OPERATE})

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
Tenant = Annotated[str, Field(min_length=1, max_length=MAX_TENANT_CHARS)]


class KeyBody(WireModel):
    """``POST /api/operator/keys``. Without ``expiresInDays`` the key is good until revoked."""

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    tenant: Tenant | None = None
    expires_in_days: float | None = Field(default=None, gt=0, le=MAX_KEY_DAYS)


class KeyLine(WireModel):
    """A key as it is listed. ``begins``: its first characters; the rest nobody has any more.

    Times: RFC 3339, UTC. ``lastUsedAt`` is right to within a minute or two.
    """

    id: str
    name: str
    begins: str
    scopes: list[Scope]
    tenant: str | None = None
    created_at: str
    created_by: str
    expires_at: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None
    good: bool


class KeyMade(WireModel):
    """A new key. ``key`` is shown this once; only its digest is kept."""

    key: str
    line: KeyLine


class KeyLines(WireModel):
    """Every key, the newest first."""

    keys: list[KeyLine]


class TokenBody(WireModel):
    """``POST /api/tokens``: a token for a user whom the application has signed in itself."""

    user_id: str = Field(min_length=1, max_length=MAX_USER_ID_CHARS)
    tenant: Tenant | None = None
    lifetime_s: float = Field(
        default=TOKEN_LIFETIME_S, ge=MIN_TOKEN_LIFETIME_S, le=MAX_TOKEN_LIFETIME_S
    )


class TokenAnswer(WireModel):
    """Whoever has ``token`` is this user, until ``expiresAt`` (RFC 3339, UTC)."""

    token: str
    user_id: str
    tenant: str = DEFAULT_TENANT
    expires_at: str
    expires_in_s: float
