"""Webhook endpoints of applications: what an operator says of one, and which events it wants."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from greenroom.wire.events import Event

SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret
# Standard Webhooks asks for 24 to 64 bytes.
MIN_SECRET_BYTES = 24
MAX_SECRET_BYTES = 64
MAX_URL_CHARS = 2_000
MAX_ENDPOINTS = 16
MAKE_SECRET = (
    "python3 -c 'import base64, secrets; "  # noqa: S105
    'print("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())\''
)


class Endpoint(BaseModel):
    """One address of an application to which events are delivered.

    Attributes:
        url: Where each event is posted.
        secrets: All of them sign, so that a receiver may change from one to the next in its own
            time (Standard Webhooks; ``whsec_`` and base64).
        types: Which events it wants, by name or pattern (``voice.*``, ``app.*``).
        name: Its deliveries are kept under this name; made of the address unless given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(max_length=MAX_URL_CHARS)
    secrets: tuple[SecretStr, ...] = Field(min_length=1, max_length=8)
    types: tuple[str, ...] = Field(default=("*",), min_length=1, max_length=64)
    name: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9._-]*$")

    @model_validator(mode="before")
    @classmethod
    def _in_full(cls, given: Any) -> Any:
        """Take ``secret`` for a list of one, and make a name if none is given."""
        if not isinstance(given, dict):
            return given
        full = dict(given)
        if "secret" in full:
            full["secrets"] = [full.pop("secret"), *full.get("secrets", [])]
        url = full.get("url")
        if isinstance(url, str) and not full.get("name"):
            full["name"] = _name_of(url)
        return full

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or not url.isascii():
            raise ValueError("an address must begin with https:// (or http://) and be in ASCII")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("an address must have no user name, password or fragment")
        if parts.port == 0:
            raise ValueError("port 0 is none")
        return url

    @field_validator("secrets")
    @classmethod
    def _are_secrets(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            check_secret(secret.get_secret_value())
        return secrets

    @property
    def host(self) -> str:
        """The host's name or address, in lower case."""
        return urlsplit(self.url).hostname or ""

    def wants(self, event_type: str, body: Mapping[str, Any] | None = None) -> bool:
        """Whether events of this type are delivered here, of whichever session."""
        return any(fnmatchcase(event_type, pattern) for pattern in self.types)


def _name_of(url: str) -> str:
    """The host, and of the rest no more than a digest: a path or query may be confidential."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "-" for c in host)
    return f"{plain[:48]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def check_secret(value: str) -> None:
    """Raise `ValueError` unless this can sign, by Standard Webhooks."""
    try:
        key = base64.b64decode(value.removeprefix(SECRET_PREFIX) + "==", validate=False)
    except (binascii.Error, ValueError):
        key = b""
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise ValueError(
            f"a secret is {SECRET_PREFIX} and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in "
            f"base64. Make one: {MAKE_SECRET}"
        )


class DeliveredEvent(Event):
    """An event as an application receives it: the browser's, and whose session it is of.

    Attributes:
        user: The user's id, as the application's own token named it.
    """

    user: str


def message_id(session_id: str, seq: int) -> str:
    """The ``webhook-id`` of an event: the same at every try, so that a receiver knows it again.

    Standard Webhooks joins what it signs by full stops, so there is none in it.
    """
    return f"{session_id}_{seq}"
