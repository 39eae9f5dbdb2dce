"""How values of settings are spelled in an environment, and which cannot be meant."""

from __future__ import annotations

import ipaddress
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic.functional_validators import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from greenroom.wire.link import IceServer
from greenroom.wire.webhooks import Endpoint

MOST_SESSIONS = 1_000_000
_LONGEST_S = 86_400
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_json_or_list(value: Any) -> Any:
    """JSON, or a plain list separated by commas: what people write into an environment."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return json.loads(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _ice_servers(value: Any) -> Any:
    entries = _from_json_or_list(value)
    return [{"urls": [entry]} if isinstance(entry, str) else entry for entry in entries]


def _number_or_none(value: Any) -> Any:
    """``none`` is said, never guessed: an empty variable is somebody's template gone wrong."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _none_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _postgres_only(value: SecretStr | None) -> SecretStr | None:
    if value is None or not value.get_secret_value().strip():
        return None
    if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://; leave it out for SQLite")
    return value


def _websocket_only(value: str | None) -> str | None:
    if not value:
        return None
    if not value.startswith(("ws://", "wss://")):
        raise ValueError("must begin with ws:// or wss://")
    return value


def _key_set_only(value: str | None) -> str | None:
    """Whoever could change the keys on their way could be any user."""
    if not value or not value.strip():
        return None
    parts = urlsplit(value.strip())
    on_this_machine = parts.scheme == "http" and is_loopback(parts.hostname or "")
    at_a_host = parts.hostname and (parts.scheme == "https" or on_this_machine)
    in_a_file = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    if not (at_a_host or in_a_file) or parts.username or parts.password:
        raise ValueError("must begin with https:// or file:/// (http:// on this machine only)")
    return value.strip()


def _api_only(value: str) -> str:
    """A key is shown there with each call: it travels encrypted, or not at all."""
    parts = urlsplit(value.strip().rstrip("/"))
    on_this_machine = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or on_this_machine) or parts.username:
        raise ValueError("must begin with https:// (http:// on this machine only)")
    return value.strip().rstrip("/")


def _agent_name(value: str | None) -> str | None:
    if not value or not value.strip():
        return None
    if not _AGENT.fullmatch(value.strip()):
        raise ValueError("must be a deployment's name: letters, digits and “-”")
    return value.strip()


def _networks_only(value: list[str]) -> list[str]:
    for entry in value:
        if entry != "*":
            ipaddress.ip_network(entry)
    return value


Names = Annotated[list[str], NoDecode, BeforeValidator(_from_json_or_list)]
Networks = Annotated[Names, AfterValidator(_networks_only)]
IceServers = Annotated[list[IceServer], NoDecode, BeforeValidator(_ice_servers)]
Endpoints = Annotated[list[Endpoint], NoDecode, BeforeValidator(_from_json_or_list)]

PostgresUrl = Annotated[SecretStr | None, AfterValidator(_postgres_only)]
WebSocketUrl = Annotated[str | None, AfterValidator(_websocket_only)]
KeySetUrl = Annotated[str | None, AfterValidator(_key_set_only)]
HttpUrl = Annotated[str, AfterValidator(_api_only)]
AgentName = Annotated[str | None, AfterValidator(_agent_name)]
OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]

_Count = Annotated[int, Field(ge=1, le=MOST_SESSIONS)]
Quota = Annotated[_Count | None, BeforeValidator(_number_or_none)]
_ShareOfOne = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[_ShareOfOne | None, BeforeValidator(_number_or_none)]
Ceiling = Annotated[float, Field(gt=0, le=_LONGEST_S)] | None
# A tenth of a cent is spent in seconds; a million a day would be no budget.
Budget = Annotated[
    Annotated[Decimal, Field(ge=Decimal("0.001"), le=1_000_000, allow_inf_nan=False)] | None,
    BeforeValidator(_none_if_empty),
]
