"""Accounts at providers, as the settings name them, checked before anything is asked there."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from greenroom.errors import BadSetting
from greenroom.service.call_servers import CallServers
from greenroom.settings import Settings
from greenroom.spelling import is_loopback
from greenroom.wire.daily import is_secret
from greenroom.wire.link import RoomKind
from greenroom.wire.vapi.calls import SECRET_HEADER, is_address

# Daily's keys have 64 hexadecimal digits; what signs tokens must not be shorter than half of it.
MIN_KEY_CHARS = 32


@dataclass(frozen=True, slots=True)
class DailyAccount:
    """Where the rooms are, and by which key.

    Attributes:
        api_url: The API's address.
        api_key: The domain's key.
        domain: The domain's name; None: whichever the key belongs to.
        webhook_secret: What Daily signs its webhooks with; None: none are taken.
        recording: What Daily may record; None: nothing.
    """

    api_url: str
    api_key: str = field(repr=False)
    domain: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    recording: str | None = None


def daily_account(settings: Settings) -> DailyAccount | None:
    """The account at Daily; None: the rooms are this machine's.

    Raises:
        BadSetting: The key is missing or is none, a secret is none, or the address is not one that
            may be trusted with them.
    """
    if settings.rooms is not RoomKind.DAILY:
        return None
    key = settings.daily_api_key.get_secret_value().strip() if settings.daily_api_key else ""
    if not key:
        raise BadSetting(
            "GREENROOM_ROOMS is daily, and GREENROOM_DAILY_API_KEY is not set. The key is in "
            "Daily's dashboard, under Developers."
        )
    if len(key) < MIN_KEY_CHARS:
        raise BadSetting(f"GREENROOM_DAILY_API_KEY has {len(key)} characters: it is no key.")
    return DailyAccount(
        _api_url(settings),
        key,
        (settings.daily_domain or "").strip().removesuffix(".daily.co") or None,
        _webhook_secret(settings),
        settings.daily_recording,
    )


def call_servers(settings: Settings) -> CallServers:
    """Where VAPI calls are told of, as the settings name it.

    Raises:
        BadSetting: There is a secret, and nobody to show it to.
    """
    url = (settings.vapi_server_url or "").strip()
    given = settings.vapi_server_secret
    secret = given.get_secret_value().strip() if given else ""
    if secret and not url:
        raise BadSetting("GREENROOM_VAPI_SERVER_SECRET is set, and GREENROOM_VAPI_SERVER_URL not.")
    if not url:
        return CallServers(allowed=settings.webhook_allow)
    if not is_address(url):
        raise BadSetting("GREENROOM_VAPI_SERVER_URL must be an address, like https://app.example/")
    name = "Authorization" if secret.startswith("Bearer ") else SECRET_HEADER
    return CallServers((url, {name: secret} if secret else {}), settings.webhook_allow)


def _api_url(settings: Settings) -> str:
    """Daily itself, by TLS. A stand-in only where the server is for this machine alone, too."""
    url = settings.daily_api_url.strip().rstrip("/")
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password:
        raise BadSetting("GREENROOM_DAILY_API_URL must be an address, like https://api.daily.co/v1")
    here = is_loopback(parts.hostname)
    if parts.scheme == "https" and not here:
        return url
    if here and settings.is_loopback and parts.scheme in ("http", "https"):
        return url
    raise BadSetting(
        "GREENROOM_DAILY_API_URL must be https:// and another machine's. A stand-in on loopback "
        "is for tests: it is used only by a server whose GREENROOM_HOST is loopback, too."
    )


def _webhook_secret(settings: Settings) -> str | None:
    given = settings.daily_webhook_secret
    secret = given.get_secret_value().strip() if given else ""
    if secret and not is_secret(secret):
        raise BadSetting(
            "GREENROOM_DAILY_WEBHOOK_SECRET must be the webhook's “hmac”, in base64 as Daily "
            "shows it."
        )
    return secret or None
