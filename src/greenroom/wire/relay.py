"""What the relay and a developer's machine say to each other, over the socket that dials out."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Base64UrlBytes, Field, TypeAdapter

from greenroom.wire.base import WireModel

MAX_BODY_BYTES = 1024 * 1024
# A body in base64 (4/3), its headers, and the rest of the message.
MAX_MESSAGE_BYTES = 2 * MAX_BODY_BYTES
MAX_REPLAYED = 1_000
# Another machine listens on this address now: do not dial again.
REPLACED = 4409
# Headers of one connection and not of the message (RFC 9110, 7.6.1), and what each hop sets anew.
HOP_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

Headers = list[tuple[str, str]]


class Welcome(WireModel):
    """You listen. So much was kept while nobody did; it follows, in order."""

    kind: Literal["welcome"] = "welcome"
    name: str
    address: str
    waiting: int
    waiting_bytes: int


class Passing(WireModel):
    """A request for the application.

    Attributes:
        number: The relay's own; rises with time.
        received_at: Seconds since the epoch.
        live: Its sender waits for the answer. Otherwise it was kept, and comes in order: the
            next one follows when this one is answered.
    """

    kind: Literal["passing"] = "passing"
    number: int
    received_at: float
    live: bool
    method: str
    query: str
    headers: Headers
    body: Base64UrlBytes


class Answered(WireModel):
    """What the application answered, or what is said in its place if it could not be reached."""

    kind: Literal["answered"] = "answered"
    number: int
    status: int = Field(ge=100, le=599)
    headers: Headers
    body: Base64UrlBytes


class Replay(WireModel):
    """Pass these again: the last so many, or by their numbers."""

    kind: Literal["replay"] = "replay"
    last: int = Field(default=0, ge=0, le=MAX_REPLAYED)
    numbers: list[int] = Field(default_factory=list, max_length=MAX_REPLAYED)


class KeptItem(WireModel):
    """One request that the relay has, as it is listed. ``status``: None while it waits."""

    number: int
    received_at: float
    method: str
    type: str
    size_bytes: int
    status: int | None


class Status(WireModel):
    """How an address stands, and within which bounds."""

    name: str
    address: str
    listening: bool
    waiting: int
    waiting_bytes: int
    most: int
    most_bytes: int
    longest_s: float
    kept: list[KeptItem]


FromListener = Annotated[Answered | Replay, Field(discriminator="kind")]
FromRelay = Annotated[Welcome | Passing, Field(discriminator="kind")]
FROM_LISTENER: TypeAdapter[Answered | Replay] = TypeAdapter(FromListener)
FROM_RELAY: TypeAdapter[Welcome | Passing] = TypeAdapter(FromRelay)


def without_hop_headers(headers: Headers) -> Headers:
    """The headers that belong to the message itself."""
    named = {value.strip().lower() for name, value in headers if name.lower() == "connection"}
    own = {token.strip() for value in named for token in value.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in HOP_HEADERS | own]


def type_of(method: str, body: bytes) -> str:
    """What to call a request in one line: the type that its JSON names, or its method.

    Whoever sent it chose the text: it is cut, and no control character gets through.
    """
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    found = told.get("type") if isinstance(told, dict) else None
    text = found if isinstance(found, str) and found else method
    return "".join(char for char in text[:64] if char.isprintable())
