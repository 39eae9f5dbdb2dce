"""The only reader of the environment: ``GREENROOM_*``, checked at start-up, by name.

Three layers, never mixed: what the *server* needs stands here; what a *bot* gets is its
`SessionSpec` and its own environment without ``GREENROOM_*``; what a *page* gets is
``GET /api/voice/config``. A secret goes into neither of the latter two.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from greenroom.elsewhere import COLD_JOIN_S, CloudSettings, LauncherKind
from greenroom.errors import BadSetting
from greenroom.ports.open_rooms import Door
from greenroom.session.budgets import BudgetKind, Budgets
from greenroom.session.model import Limits
from greenroom.session.policy import MachineQuotas, Quotas
from greenroom.session.prices import METERING_S, micro_usd
from greenroom.session.rates import PER_MIN, Rate
from greenroom.spelling import (
    MOST_SESSIONS,
    AgentName,
    Budget,
    Ceiling,
    Endpoints,
    HttpUrl,
    IceServers,
    KeySetUrl,
    Names,
    Networks,
    OptionalPath,
    PostgresUrl,
    Quota,
    Share,
    WebSocketUrl,
    is_loopback,
)
from greenroom.wire.link import RoomKind
from greenroom.wire.webhooks import MAKE_SECRET as MAKE_WEBHOOK_SECRET
from greenroom.wire.webhooks import MAX_ENDPOINTS, Endpoint, check_secret

MIN_SECRET_CHARS = 32
MAKE_SECRET = "python3 -c 'import secrets; print(secrets.token_hex(32))'"  # noqa: S105
SECRET_FILE = "secret"  # noqa: S105 - a file's name


def default_state_dir() -> Path:
    """Where state is kept unless said otherwise: ``$XDG_STATE_HOME/greenroom``."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "greenroom"


_MIB = 1024 * 1024


def _ceiling_of(name: str) -> str:
    return f"The most a start may ask for; `GREENROOM_{name}` if not set."


class Settings(BaseSettings):
    """What the server is told. Each field is the variable ``GREENROOM_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="GREENROOM_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8642, ge=0, le=65535, description="Port; 0 picks a free one.")
    state_dir: Path = Field(
        default_factory=default_state_dir, description="Database, supervisor's socket, logs."
    )
    database_url: PostgresUrl = Field(
        default=None, description="postgresql://…; the SQLite file in the state folder if not set."
    )
    secret: SecretStr | None = Field(
        default=None, description="Signs cookies and tokens; needed on any public address."
    )
    jwks_url: KeySetUrl = Field(
        default=None, description="Public keys by which your sign-in signs users: https:, file:."
    )
    jwt_issuer: str | None = Field(
        default=None, description="What `iss` of those users' tokens must be."
    )
    jwt_audience: str = Field(
        default="greenroom", min_length=1, description="What `aud` of those tokens must hold."
    )
    origins: Names = Field(
        default_factory=list,
        description="Other origins whose pages may use the API and its event socket.",
    )
    hosts: Names = Field(
        default_factory=list, description="Host names under which the server is reached."
    )
    ice_servers: IceServers = Field(
        default_factory=list,
        description="STUN and TURN: addresses, or JSON as a browser takes it.",
    )
    rooms: RoomKind = Field(
        default=RoomKind.LOCAL, description="Where people meet: `local` (WebRTC), or `daily`."
    )
    daily_api_key: SecretStr | None = Field(
        default=None, description="Your domain's key at Daily; signs tokens, and never leaves."
    )
    daily_domain: str | None = Field(
        default=None, description="Your domain at Daily; if set, the key must belong to it."
    )
    daily_webhook_secret: SecretStr | None = Field(
        default=None, description="`hmac` of Daily's webhook to `/daily/webhook`, in base64."
    )
    daily_recording: Literal["cloud", "cloud-audio-only", "local", "raw-tracks"] | None = Field(
        default=None,
        description="What Daily may record: `cloud`, `cloud-audio-only` …; else nothing.",
    )
    redact: str | None = Field(
        default=None,
        description="A function that takes out of people's words what is not to be kept.",
    )
    keep_words_days: float | None = Field(
        default=None, ge=0, description="How long what was said is kept after the session's end."
    )
    keep_sessions_days: float | None = Field(
        default=None, ge=2, description="How long sessions are kept at all."
    )
    group_ceiling: int = Field(
        default=10, ge=3, le=200, description="Most places of a group call, the bot's included."
    )
    daily_api_url: str = Field(
        default="https://api.daily.co/v1", description="Daily's API, or for tests its stand-in."
    )
    link_url: WebSocketUrl = Field(
        default=None,
        description="ws://…/link, where bots dial, if that is not the server's own address.",
    )
    launcher: LauncherKind = Field(
        default=LauncherKind.LOCAL, description="Where bots run: `local`, `pipecat-cloud`."
    )
    pipecat_cloud_public_key: SecretStr | None = Field(
        default=None, description="Starts agents on Pipecat Cloud."
    )
    pipecat_cloud_private_key: SecretStr | None = Field(
        default=None, description="Lists and stops them; without it none can be stopped."
    )
    pipecat_cloud_agent: AgentName = Field(
        default=None, description="The deployment, Greenroom's own; the bot's name if not set."
    )
    pipecat_cloud_url: HttpUrl = Field(
        default="https://api.pipecat.daily.co", description="Its API, or a stand-in's."
    )
    pipecat_cloud_max_session_s: float = Field(
        default=7_200.0, ge=60, le=14_400, description="`maxSessionDuration` of the deployment."
    )
    allow_loopback_media: bool = Field(
        default=False, description="Offer 127.0.0.1 for audio (no other network interface)."
    )
    webhook_url: SecretStr | None = Field(
        default=None, description="Where your application takes events (Standard Webhooks)."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="Signs them: `whsec_…`; several, by comma, while you change it."
    )
    webhooks: Endpoints = Field(
        default_factory=list,
        description="Several such addresses: JSON list of {url, secret, types, name}.",
    )
    webhook_allow: Names = Field(
        default_factory=list,
        description="Hosts of them that may be private, or http:// (`localhost`, say).",
    )
    tools_secret: SecretStr | None = Field(
        default=None,
        description="Signs calls of HTTP tools: `whsec_…`; several, by comma, while you change it.",
    )
    tools_allow: Names = Field(
        default_factory=list,
        description="Hosts that HTTP tools may call though private, or http:// (`localhost`, say).",
    )
    vapi_server_url: str | None = Field(
        default=None, description="Where VAPI calls are told of whose page names no `serverUrl`."
    )
    vapi_server_secret: SecretStr | None = Field(
        default=None, description="Goes along as `X-Vapi-Secret`; `Bearer …` as `Authorization`."
    )
    vapi_rooms: Door = Field(
        default=Door.PRIVATE,
        description="`open`: their address alone lets people in, for VAPI's SDK before its 2.7.",
    )
    assistants_dir: OptionalPath = Field(
        default=None, description="Folder of assistants' records (YAML), read at start."
    )
    bots: Names = Field(
        default_factory=list, description="Further bot modules and files that records may name."
    )
    secrets_dir: OptionalPath = Field(
        default=None, description="Folder of files with the keys of assistants' services, one each."
    )
    tools_dir: OptionalPath = Field(
        default=None, description="Folder of functions that records may name (`@tool`)."
    )
    mcp_servers: OptionalPath = Field(
        default=None, description="MCP servers that records may name: YAML or JSON."
    )
    flags: str | None = Field(
        default=None, description="Makes your OpenFeature provider: `package.module:function`."
    )
    bot_memory_limit_mb: int = Field(default=512, ge=64, description="Private memory of a bot.")
    spares: int = Field(
        default=1, ge=0, le=16, description="Forked processes per bot that wait for a call."
    )
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
    queue_s: float = Field(
        default=300.0, gt=0, le=86_400, description="Longest stay in the waiting room."
    )
    warning_share: float = Field(
        default=0.8, gt=0, lt=1, description="Share of the hard limit after which it is announced."
    )
    join_ceiling_s: Ceiling = Field(default=None, description=_ceiling_of("JOIN_S"))
    max_duration_ceiling_s: Ceiling = Field(default=None, description=_ceiling_of("MAX_DURATION_S"))
    idle_ceiling_s: Ceiling = Field(default=None, description=_ceiling_of("IDLE_S"))
    pause_ceiling_s: Ceiling = Field(default=None, description=_ceiling_of("PAUSE_S"))
    persistence_ceiling_s: Ceiling = Field(default=None, description=_ceiling_of("PERSISTENCE_S"))
    queue_ceiling_s: Ceiling = Field(default=None, description=_ceiling_of("QUEUE_S"))
    user_live_limit: Quota = Field(
        default=1, description="Sessions of one user at once; `none`: any number. So below."
    )
    user_day_limit: Quota = Field(default=10, description="Starts of one user a day (UTC).")
    user_cooldown_s: float = Field(
        default=30.0, ge=0, le=86_400, description="Between two sessions of one user."
    )
    live_limit: Quota = Field(default=5, description="Sessions at once in all.")
    day_limit: Quota = Field(default=100, description="Starts a day (UTC) in all.")
    tenant_live_limit: Quota = Field(default=None, description="Sessions of one tenant at once.")
    tenant_day_limit: Quota = Field(default=None, description="Starts of one tenant a day (UTC).")
    assistant_live_limit: Quota = Field(
        default=None, description="Sessions with one assistant at once."
    )
    queue_limit: int = Field(
        default=20, ge=0, le=10_000, description="Places in the waiting room; 0: there is none."
    )
    most_cpu_share: Share = Field(
        default=0.85, description="Busier than this, the machine takes no further call."
    )
    keep_free_mb: int = Field(
        default=256, ge=0, le=MOST_SESSIONS, description="Memory that calls leave free."
    )
    starts_per_min: Quota = Field(
        default=PER_MIN[Rate.STARTS], description="Calls to start, per user. `none`: any. So below."
    )
    offers_per_min: Quota = Field(
        default=PER_MIN[Rate.OFFERS], description="Offers of media, per user."
    )
    controls_per_min: Quota = Field(
        default=PER_MIN[Rate.CONTROLS],
        description="Mutes, pauses and answers of page tools, per user.",
    )
    messages_per_min: Quota = Field(
        default=PER_MIN[Rate.MESSAGES],
        description="Typed messages, and what an assistant is told, per user.",
    )
    tickets_per_min: Quota = Field(
        default=PER_MIN[Rate.TICKETS], description="Tickets for the event socket, per user."
    )
    decisions_per_min: Quota = Field(
        default=PER_MIN[Rate.DECISIONS], description="Questions for the provider, per user."
    )
    tokens_per_min: Quota = Field(
        default=PER_MIN[Rate.TOKENS], description="User tokens, per API key."
    )
    key_calls_per_min: Quota = Field(
        default=PER_MIN[Rate.KEY_CALLS], description="Calls of any kind, per API key."
    )
    reports_per_min: Quota = Field(
        default=PER_MIN[Rate.REPORTS], description="Reports by webhook, per launch."
    )
    bad_logins_per_min: Quota = Field(
        default=PER_MIN[Rate.BAD_LOGINS],
        description="Tokens and keys that are not good, per address.",
    )
    trusted_proxies: Networks = Field(
        default_factory=lambda: ["127.0.0.1", "::1"],
        description="Reverse proxies whose `X-Forwarded-For` is believed: addresses, networks.",
    )
    metrics_open: bool = Field(
        default=False,
        description="Anybody may read /metrics on a public address; else operators only.",
    )
    prices: OptionalPath = Field(
        default=None, description="Price list (TOML); the example that comes along if not set."
    )
    metering_s: float = Field(
        default=METERING_S, ge=1, le=300, description="How often running sessions are billed."
    )
    budget_session_usd: Budget = Field(
        default=None, description="A session that has cost so much is ended."
    )
    budget_user_day_usd: Budget = Field(
        default=None, description="What one user may spend in a day (UTC)."
    )
    budget_tenant_day_usd: Budget = Field(
        default=None, description="What one tenant may spend in a day (UTC)."
    )
    budget_installation_day_usd: Budget = Field(
        default=None, description="What all together may spend in a day (UTC)."
    )
    budget_warning_share: float = Field(
        default=0.8, gt=0, le=1, description="From this share of a budget on users are warned."
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level logged."
    )
    log_json: bool = Field(default=False, description="One JSON object a line.")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    def plain_database_url(self) -> str | None:
        """The database's address, password and all; None means SQLite in the state folder."""
        return self.database_url.get_secret_value() if self.database_url else None

    def limits(self) -> Limits:
        """The limits of a session, as set."""
        return Limits(
            join_s=self._join_s(),
            max_duration_s=self.max_duration_s,
            idle_s=self.idle_s,
            pause_s=self.pause_s,
            persistence_s=self.persistence_s,
            queue_s=self.queue_s,
            warning_share=self.warning_share,
        )

    def _join_s(self) -> float:
        """On Pipecat Cloud an instance may have to be made first, which takes a minute at times."""
        elsewhere = self.launcher is LauncherKind.PIPECAT_CLOUD
        return COLD_JOIN_S if elsewhere and "join_s" not in self.model_fields_set else self.join_s

    def pipecat_cloud(self) -> CloudSettings | None:
        """How agents on Pipecat Cloud are started; None: bots run on this machine.

        Raises:
            BadSetting: A key or an address is missing, or sessions may be longer than agents live.
        """
        if self.launcher is not LauncherKind.PIPECAT_CLOUD:
            return None
        return CloudSettings.checked(
            public_key=_secret(self.pipecat_cloud_public_key),
            private_key=_secret(self.pipecat_cloud_private_key),
            agent=self.pipecat_cloud_agent,
            url=self.pipecat_cloud_url,
            max_session_s=self.pipecat_cloud_max_session_s,
            has_link_url=self.link_url is not None,
            limits=self.ceilings(),
        )

    def endpoints(self) -> list[Endpoint]:
        """Where events are delivered.

        Raises:
            BadSetting: An address has no secret, or a bad one; or two have the same name.
        """
        found = [*self._one_endpoint(), *self.webhooks]
        names = [endpoint.name for endpoint in found]
        if len(found) > MAX_ENDPOINTS or len(set(names)) < len(names):
            raise BadSetting(
                f"GREENROOM_WEBHOOKS: at most {MAX_ENDPOINTS} endpoints, each with a name of its "
                "own (by default it is made of the address)."
            )
        return found

    def tool_secrets(self) -> tuple[SecretStr, ...]:
        """What signs the calls of HTTP tools; without any, there are none.

        Raises:
            BadSetting: One cannot sign.
        """
        given = self.tools_secret.get_secret_value() if self.tools_secret else ""
        secrets = [part.strip() for part in given.split(",") if part.strip()]
        try:
            for secret in secrets:
                check_secret(secret)
        except ValueError as error:
            raise BadSetting(f"GREENROOM_TOOLS_SECRET: {error}.") from None
        return tuple(SecretStr(secret) for secret in secrets)

    def _one_endpoint(self) -> list[Endpoint]:
        url = self.webhook_url.get_secret_value().strip() if self.webhook_url else ""
        if not url:
            return []
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        if not secret.strip():
            raise BadSetting(
                f"GREENROOM_WEBHOOK_URL is set, and GREENROOM_WEBHOOK_SECRET is not. Make one: "
                f"{MAKE_WEBHOOK_SECRET}"
            )
        secrets = [part.strip() for part in secret.split(",") if part.strip()]
        try:
            return [Endpoint.model_validate({"url": url, "secrets": secrets})]
        except ValidationError as error:
            first = error.errors()[0]
            name = "URL" if first["loc"][:1] == ("url",) else "SECRET"
            raise BadSetting(f"GREENROOM_WEBHOOK_{name}: {first['msg']}.") from None

    def ceilings(self) -> Limits:
        """The most that a start may ask for.

        Raises:
            BadSetting: A ceiling is below what holds without being asked for.
        """
        limits = self.limits()
        ceilings: dict[str, float] = {}
        for name in ("join_s", "max_duration_s", "idle_s", "pause_s", "persistence_s", "queue_s"):
            setting = name.removesuffix("_s") + "_ceiling_s"
            most_s, given_s = getattr(self, setting), getattr(limits, name)
            if most_s is not None and most_s < given_s:
                raise BadSetting(
                    f"GREENROOM_{setting.upper()} is {most_s:g}, below GREENROOM_{name.upper()} "
                    f"({given_s:g}). Raise the one or lower the other."
                )
            ceilings[name] = given_s if most_s is None else most_s
        return replace(limits, **ceilings)

    def quotas(self) -> Quotas:
        """How many sessions there may be, as set."""
        return Quotas(
            user_live=self.user_live_limit,
            user_day=self.user_day_limit,
            user_cooldown_s=self.user_cooldown_s or None,
            live=self.live_limit,
            day=self.day_limit,
            tenant_live=self.tenant_live_limit,
            tenant_day=self.tenant_day_limit,
            assistant_live=self.assistant_live_limit,
            queue=self.queue_limit,
            machine=MachineQuotas(
                most_cpu_share=self.most_cpu_share, keep_free_bytes=self.keep_free_mb * _MIB
            ),
        )

    def signs_users(self) -> tuple[str, str, str] | None:
        """Who else signs users: the address of the keys, the issuer, the audience.

        Raises:
            BadSetting: There are keys, and nobody whose they are; or somebody without keys.
        """
        issuer = (self.jwt_issuer or "").strip()
        if bool(self.jwks_url) != bool(issuer):
            given, missing = ("JWKS_URL", "JWT_ISSUER")[:: 1 if self.jwks_url else -1]
            raise BadSetting(
                f"GREENROOM_{given} is set, and GREENROOM_{missing} is not. Set both: the same "
                "keys may sign tokens for others, too."
            )
        return (self.jwks_url, issuer, self.jwt_audience) if self.jwks_url else None

    def rates(self) -> dict[Rate, int | None]:
        """How often somebody may ask, per minute, as set."""
        return {rate: getattr(self, f"{rate.value}_per_min") for rate in Rate}

    def budgets(self) -> Budgets:
        """The budgets that are set."""
        amounts = {kind: getattr(self, f"budget_{kind.value}_usd") for kind in BudgetKind}
        limits = {kind: micro_usd(amount) for kind, amount in amounts.items() if amount is not None}
        return Budgets(limits, self.budget_warning_share)

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


def _secret(value: SecretStr | None) -> str | None:
    """A secret that is set; blanks are none."""
    return (value.get_secret_value().strip() or None) if value else None


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
    if isinstance(default, list):
        return f"`{','.join(default)}`"
    shown = f"{default:g}" if isinstance(default, float) else str(default).lower()
    return f"`{shown}`"


if __name__ == "__main__":
    print(as_markdown())
