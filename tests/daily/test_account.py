"""Settings and check-up of an account at Daily: refused by name, and never a stand-in in public."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from greenroom.accounts import daily_account
from greenroom.doctor import providers
from greenroom.doctor.finding import Level
from greenroom.errors import BadSetting
from greenroom.main import build
from greenroom.settings import Settings, read_settings
from tests.daily.command import ServedDaily

KEY = "0123456789abcdef" * 4


def settings(**more: str) -> Settings:
    return read_settings(rooms="daily", daily_api_key=KEY, **more)


@pytest.fixture(autouse=True)
def _clean(environment: pytest.MonkeyPatch) -> None:
    """Settings of nobody."""


def test_without_a_word_the_rooms_are_this_machines() -> None:
    assert daily_account(read_settings()) is None


def test_an_account_is_read_and_its_secrets_are_not_shown() -> None:
    account = daily_account(settings(daily_domain="acme.daily.co", daily_webhook_secret="c2VjcmV0"))
    assert account is not None
    assert (account.domain, account.api_key) == ("acme", KEY)
    assert KEY not in repr(account)
    assert "c2VjcmV0" not in repr(account)
    assert KEY not in repr(settings())


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"daily_api_key": ""}, "GREENROOM_DAILY_API_KEY"),
        ({"daily_api_key": "short"}, "GREENROOM_DAILY_API_KEY"),
        ({"daily_webhook_secret": "no base64"}, "GREENROOM_DAILY_WEBHOOK_SECRET"),
        ({"daily_api_url": "http://api.daily.co/v1"}, "GREENROOM_DAILY_API_URL"),
        ({"daily_api_url": "https://u:p@api.daily.co/v1"}, "GREENROOM_DAILY_API_URL"),
        ({"daily_api_url": "api.daily.co"}, "GREENROOM_DAILY_API_URL"),
        ({"rooms": "zoom"}, "GREENROOM_ROOMS"),
        ({"daily_recording": "everything"}, "GREENROOM_DAILY_RECORDING"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(given: dict[str, str], name: str) -> None:
    with pytest.raises(BadSetting, match=name):
        daily_account(read_settings(**{"rooms": "daily", "daily_api_key": KEY, **given}))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8650/v1", "https://localhost/v1", "http://[::1]:8650/v1"]
)
def test_a_stand_in_is_refused_where_others_can_reach_the_server(url: str) -> None:
    account = daily_account(settings(daily_api_url=url))
    assert account is not None
    assert account.api_url == url
    with pytest.raises(BadSetting, match="GREENROOM_DAILY_API_URL"):
        daily_account(settings(daily_api_url=url, host="0.0.0.0", secret="s" * 32))


async def test_the_built_in_bot_is_refused_for_rooms_that_it_cannot_join() -> None:
    with pytest.raises(BadSetting, match="DailyTransport"):
        await build(settings(), None, ("127.0.0.1", 1))


def test_a_server_with_local_rooms_loads_nothing_of_dailys() -> None:
    code = (
        "import sys, greenroom.main; "
        "print([name for name in sys.modules if name.startswith('greenroom.rooms.daily')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_the_check_up_asks_daily_whether_the_key_is_good(served: ServedDaily) -> None:
    assert await providers.rooms(read_settings()) == []
    good = read_settings(rooms="daily", daily_api_key=served.key, daily_api_url=served.address)
    fine, late = await providers.rooms(good)
    assert (fine.level, fine.message) == (Level.OK, "the key is good for stand-in.daily.co")
    assert (late.level, "GREENROOM_DAILY_WEBHOOK_SECRET" in late.message) == (Level.WARNING, True)
    wrong = read_settings(
        rooms="daily",
        daily_api_key=KEY,
        daily_api_url=served.address,
        daily_webhook_secret="c2VjcmV0",
    )
    (refused,) = await providers.rooms(wrong)
    assert refused.level is Level.PROBLEM
    assert "GREENROOM_DAILY_API_KEY" in refused.message
    assert KEY not in refused.message
    (missing,) = await providers.rooms(read_settings(rooms="daily"))
    assert missing.level is Level.PROBLEM
    (elsewhere, _) = await providers.rooms(good.model_copy(update={"daily_domain": "acme"}))
    assert "GREENROOM_DAILY_DOMAIN" in elsewhere.message
    no_api = good.model_copy(update={"daily_api_url": served.address.removesuffix("/v1")})
    assert "GREENROOM_DAILY_API_URL" in (await providers.rooms(no_api))[0].message
    assert os.environ.get("GREENROOM_DAILY_API_KEY") is None
