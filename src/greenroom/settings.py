"""The only reader of the environment: ``GREENROOM_*``, checked at start-up, by name.

Three layers, never mixed: what the *server* needs stands here; what a *bot* gets is its
`SessionSpec` and its own environment without ``GREENROOM_*``; what a *page* gets is
``GET /api/voice/config``. A secret goes into neither of the latter two.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError
from pydantic.functional_validators import AfterValidator, BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from greenroom.errors import BadSetting
from greenroom.session.model import Limits
from greenroom.wire.link import IceServer

MIN_SECRET_CHARS = 32
MAKE_SECRET = "python3 -c 'import secrets; print(secrets.token_hex(32))'"  # noqa: S105
SECRET_FILE = "secret"  # noqa: S105 - a file's name


def default_state_dir() -> Path:
    """Where state is kept unless said otherwise: ``$XDG_STATE_HOME/greenroom``."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "greenroom"


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


def _postgres_only(value: SecretStr | None) -> SecretStr | None:
    if value is None or not value.get_secret_value().strip():
        return None
    if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://; leave it out for SQLite")
    return value


class Settings(BaseSettings):
    """What the server is told. Each field is the variable ``GREENROOM_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="GREENROOM_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8642, ge=0, le=65535, description="Port; 0 picks a free one.")
    state_dir: Path = Field(
        default_factory=default_state_dir, description="Database, supervisor's socket, logs."
    )
    database_url: Annotated[SecretStr | None, AfterValidator(_postgres_only)] = Field(
        default=None, description="postgresql://…; the SQLite file in the state folder if not set."
    )
    secret: SecretStr | None = Field(
        default=None, description="Signs cookies and tokens; needed on any public address."
    )
    origins: Annotated[list[str], NoDecode, BeforeValidator(_from_json_or_list)] = Field(
        default_factory=list, description="Further pages that may open the event socket."
    )
    hosts: Annotated[list[str], NoDecode, BeforeValidator(_from_json_or_list)] = Field(
        default_factory=list, description="Host names under which the server is reached."
    )
    ice_servers: Annotated[list[IceServer], NoDecode, BeforeValidator(_ice_servers)] = Field(
        default_factory=list,
        description="STUN and TURN: addresses, or JSON as a browser takes it.",
    )
    allow_loopback_media: bool = Field(
        default=False, description="Offer 127.0.0.1 for audio (no other network interface)."
    )
    bot_memory_limit_mb: int = Field(default=512, ge=64, description="Private memory of a bot.")
    drain_s: float = Field(
        default=10.0, ge=0, le=3600, description="How long SIGTERM waits for conversations."
    )
    join_s: float = Field(default=30.0, gt=0, le=600, description="Until both are in the room.")
    max_duration_s: float = Field(default=600.0, gt=0, le=86_400, description="Hard limit.")
    idle_s: float = Field(default=120.0, gt=0, le=86_400, description="Nobody speaks or acts.")
    pause_s: float = Field(default=600.0, gt=0, le=86_400, description="Longest pause.")
    persistence_s: float = Field(
        default=300.0, ge=0, le=86_400, description="The bot waits for a vanished user."
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level logged."
    )
    log_json: bool = Field(default=False, description="One JSON object a line.")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def plain_database_url(self) -> str | None:
        """The database's address, password and all; None means SQLite in the state folder."""
        return self.database_url.get_secret_value() if self.database_url else None

    def limits(self) -> Limits:
        """The limits of a session, as set."""
        return Limits(
            join_s=self.join_s,
            max_duration_s=self.max_duration_s,
            idle_s=self.idle_s,
            pause_s=self.pause_s,
            persistence_s=self.persistence_s,
        )

    def installation_secret(self) -> str:
        """The one secret. On loopback it is made and kept in the state folder if none is set.

        Raises:
            BadSetting: It is missing on a public address, or too short anywhere.
        """
        if self.secret is not None:
            value = self.secret.get_secret_value()
            if len(value) < MIN_SECRET_CHARS:
                raise BadSetting(
                    f"GREENROOM_SECRET has {len(value)} characters; it needs {MIN_SECRET_CHARS} "
                    f"or more. Make one: {MAKE_SECRET}"
                )
            return value
        if not self.is_loopback:
            raise BadSetting(
                f"GREENROOM_SECRET is not set, and GREENROOM_HOST={self.host} can be reached from "
                f"other machines. Make one: {MAKE_SECRET}"
            )
        return _kept_secret(self.state_dir / SECRET_FILE)


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        # Linked into place whole: a second server that starts now reads all of it or makes none.
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def read_settings(**overrides: Any) -> Settings:
    """The settings: environment first, then what the command line says.

    Raises:
        BadSetting: A value is wrong; the message names the variable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except (ValidationError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise BadSetting(f"A GREENROOM_ setting cannot be read: {error}.") from error
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"][:1]).upper()
        raise BadSetting(f"GREENROOM_{name}: {first['msg']}.") from error


def as_markdown() -> str:
    """The table of all settings, as the README shows it (``python -m greenroom.settings``)."""
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `GREENROOM_{name.upper()}` | {_default_of(name)} | {field.description} |")
    return "\n".join(rows)


def _default_of(name: str) -> str:
    if name == "state_dir":
        return "`~/.local/state/greenroom`"
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if default in (None, []):
        return "–"
    shown = f"{default:g}" if isinstance(default, float) else str(default).lower()
    return f"`{shown}`"


if __name__ == "__main__":
    print(as_markdown())
