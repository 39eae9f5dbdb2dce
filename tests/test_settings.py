"""Settings are refused by name, and secrets are where they belong."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from greenroom.errors import BadSetting
from greenroom.session.model import Limits
from greenroom.session.policy import Quotas
from greenroom.settings import as_markdown, read_settings

_SIGNING = "whsec_c2VjcmV0LW9mLXRoZS1yZWNlaXZlci0wMDAx"
_OTHER = "whsec_c2VjcmV0LW9mLXRoZS1yZWNlaXZlci0wMDAy"


def _webhook(url: str = "https://app.example", secret: str = _SIGNING, **more: object) -> str:
    return json.dumps([{"url": url, "secret": secret, **more}])


def _read_everything() -> None:
    settings = read_settings()
    settings.ceilings()
    settings.signs_users()
    settings.pipecat_cloud()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GREENROOM_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("PORT", "many"),
        ("IDLE_S", "0"),
        ("IDLE_S", "-1"),
        ("MAX_DURATION_S", "inf"),
        ("PERSISTENCE_S", "nan"),
        ("BOT_MEMORY_LIMIT_MB", "1"),
        ("LOG_LEVEL", "loud"),
        ("ICE_SERVERS", '[{"url": 3}]'),
        ("ICE_SERVERS", "[not json"),
        ("WEBHOOKS", '[{"url": "https://app.example"}]'),
        ("WEBHOOKS", _webhook("ftp://app.example")),
        ("WEBHOOKS", _webhook("https://u:hunter2@app.example")),
        ("WEBHOOKS", _webhook(secert="hunter2")),
        ("WEBHOOKS", _webhook(secret="hunter2")),
        ("WEBHOOKS", _webhook(types=[])),
        ("WEBHOOKS", _webhook(name="a b")),
        ("WEBHOOKS", "https://app.example"),
        ("LAUNCHER", "cloud"),
        ("LAUNCHER", ""),
        ("PIPECAT_CLOUD_URL", "http://api.example"),
        ("PIPECAT_CLOUD_URL", "https://u:hunter2@api.example"),
        ("PIPECAT_CLOUD_AGENT", "a/b"),
        ("PIPECAT_CLOUD_MAX_SESSION_S", "59"),
        ("LIVE_LIMIT", "-5"),
        ("LIVE_LIMIT", "0"),
        ("LIVE_LIMIT", ""),
        ("DAY_LIMIT", "many"),
        ("DAY_LIMIT", "1e99"),
        ("USER_DAY_LIMIT", "2.5"),
        ("USER_COOLDOWN_S", "-1"),
        ("USER_COOLDOWN_S", "nan"),
        ("QUEUE_LIMIT", "-1"),
        ("QUEUE_LIMIT", "none"),
        ("QUEUE_S", "0"),
        ("WARNING_SHARE", "1"),
        ("WARNING_SHARE", "80"),
        ("MOST_CPU_SHARE", "0"),
        ("MOST_CPU_SHARE", "1.1"),
        ("KEEP_FREE_MB", "-1"),
        ("PAUSE_CEILING_S", "inf"),
        ("IDLE_CEILING_S", "119"),
        ("MAX_DURATION_CEILING_S", "599.9"),
        ("JWKS_URL", "ftp://signin.example/jwks.json"),
        ("JWKS_URL", "http://signin.example/jwks.json"),
        ("JWKS_URL", "https://ada:hunter2@signin.example/jwks.json"),
        ("JWKS_URL", "https:///jwks.json"),
        ("JWKS_URL", "file://signin.example/jwks.json"),
        ("JWKS_URL", "jwks.json"),
        ("JWKS_URL", "https://signin.example/jwks.json"),  # and nobody whose they are
        ("JWT_ISSUER", "https://signin.example"),
        ("JWT_AUDIENCE", ""),
        ("STARTS_PER_MIN", "0"),
        ("BAD_LOGINS_PER_MIN", "often"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy.example"),
        ("DATABASE_URL", "mysql://ada:hunter2@db/calls"),
    ],
)
def test_an_absurd_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GREENROOM_{name}", value)
    with pytest.raises(BadSetting, match=f"GREENROOM_{name}") as caught:
        _read_everything()
    assert "hunter2" not in str(caught.value)


def test_who_else_signs_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().signs_users() is None
    monkeypatch.setenv("GREENROOM_JWT_ISSUER", "https://signin.example")
    for url in (
        "https://signin.example/jwks.json",
        "http://localhost:3000/jwks.json",
        "http://[::1]:3000/jwks.json",
        "file:///etc/greenroom/jwks.json",
    ):
        monkeypatch.setenv("GREENROOM_JWKS_URL", url)
        assert read_settings().signs_users() == (url, "https://signin.example", "greenroom")


def test_no_limit_is_said_and_never_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER_LIVE_LIMIT", "USER_DAY_LIMIT", "LIVE_LIMIT", "DAY_LIMIT"):
        monkeypatch.setenv(f"GREENROOM_{name}", "none")
    monkeypatch.setenv("GREENROOM_USER_COOLDOWN_S", "0")
    monkeypatch.setenv("GREENROOM_MOST_CPU_SHARE", "none")
    quotas = read_settings().quotas()
    assert quotas.machine.most_cpu_share is None
    assert (quotas.user_live, quotas.user_day, quotas.live, quotas.day) == (None,) * 4
    assert quotas.user_cooldown_s is None


def test_without_settings_the_limits_are_the_guides() -> None:
    assert read_settings().quotas() == Quotas()
    assert read_settings().limits() == read_settings().ceilings() == Limits()


def test_a_start_may_ask_for_more_only_where_a_ceiling_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GREENROOM_MAX_DURATION_CEILING_S", "3600")
    ceilings = read_settings().ceilings()
    assert (ceilings.max_duration_s, ceilings.idle_s) == (3600, 120)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "voice.example.com"])
def test_a_public_address_needs_a_secret(host: str) -> None:
    settings = read_settings(host=host)
    assert not settings.is_loopback
    with pytest.raises(BadSetting, match="GREENROOM_SECRET is not set"):
        settings.installation_secret()


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_SECRET", "hunter2")
    with pytest.raises(BadSetting, match="32") as caught:
        read_settings().installation_secret()
    assert "hunter2" not in str(caught.value)


def test_on_loopback_a_secret_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    settings = read_settings(state_dir=tmp_path / "state")
    first, second = settings.installation_secret(), settings.installation_secret()
    assert first == second
    assert len(first) == 64
    mode = (tmp_path / "state" / "secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert first not in repr(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert read_settings(host=host).is_loopback


def test_ice_servers_by_list_or_in_the_browsers_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_ICE_SERVERS", "stun:a.example, turn:b.example")
    assert [s.urls for s in read_settings().ice_servers] == [["stun:a.example"], ["turn:b.example"]]
    turn = '[{"urls": ["turn:c.example"], "username": "u", "credential": "p"}]'
    monkeypatch.setenv("GREENROOM_ICE_SERVERS", turn)
    (server,) = read_settings().ice_servers
    assert (server.username, server.credential) == ("u", "p")


def test_an_empty_database_url_means_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_DATABASE_URL", "")
    assert read_settings().database_url is None
    monkeypatch.setenv("GREENROOM_DATABASE_URL", "postgresql://ada:hunter2@db/calls")
    assert "hunter2" not in repr(read_settings())


def test_one_webhook_by_two_settings_and_several_secrets_while_one_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GREENROOM_WEBHOOK_URL", "https://app.example/hook?key=hunter2")
    monkeypatch.setenv("GREENROOM_WEBHOOK_SECRET", f"{_SIGNING}, {_OTHER}")
    settings = read_settings()
    (endpoint,) = settings.endpoints()
    assert [secret.get_secret_value() for secret in endpoint.secrets] == [_SIGNING, _OTHER]
    assert endpoint.wants("voice.session.end")
    assert endpoint.name.startswith("app.example-")
    for told in (repr(settings), endpoint.name):
        assert "hunter2" not in told
        assert _SIGNING not in told


def test_several_webhooks_with_filters_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        {"url": "https://a.example/hook", "secret": _SIGNING, "types": ["app.*"], "name": "a"},
        {"url": "https://b.example/hook", "secrets": [_SIGNING, _OTHER]},
    ]
    monkeypatch.setenv("GREENROOM_WEBHOOKS", json.dumps(told))
    first, second = read_settings().endpoints()
    assert (first.name, first.wants("app.answer"), first.wants("voice.error")) == ("a", True, False)
    assert (len(second.secrets), second.wants("voice.error")) == (2, True)
    monkeypatch.setenv("GREENROOM_WEBHOOKS", json.dumps([told[0], told[0]]))
    with pytest.raises(BadSetting, match="GREENROOM_WEBHOOKS"):
        read_settings().endpoints()


@pytest.mark.parametrize(
    ("url", "secret", "name"),
    [
        ("https://app.example", "", "GREENROOM_WEBHOOK_SECRET"),
        ("https://app.example", "hunter2", "GREENROOM_WEBHOOK_SECRET"),
        ("https://app.example", f"{_SIGNING},hunter2", "GREENROOM_WEBHOOK_SECRET"),
        ("app.example", _SIGNING, "GREENROOM_WEBHOOK_URL"),
        ("https://app.example:99999", _SIGNING, "GREENROOM_WEBHOOK_URL"),
        ("https://", _SIGNING, "GREENROOM_WEBHOOK_URL"),
    ],
)
def test_an_absurd_webhook_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, url: str, secret: str, name: str
) -> None:
    monkeypatch.setenv("GREENROOM_WEBHOOK_URL", url)
    monkeypatch.setenv("GREENROOM_WEBHOOK_SECRET", secret)
    with pytest.raises(BadSetting, match=name) as caught:
        read_settings().endpoints()
    assert "hunter2" not in str(caught.value)


def test_what_signs_tools_must_be_able_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().tool_secrets() == ()
    monkeypatch.setenv("GREENROOM_TOOLS_SECRET", f"{_SIGNING}, {_OTHER}")
    told = [secret.get_secret_value() for secret in read_settings().tool_secrets()]
    assert told == [_SIGNING, _OTHER]
    monkeypatch.setenv("GREENROOM_TOOLS_SECRET", f"{_SIGNING},hunter2")
    with pytest.raises(BadSetting, match="GREENROOM_TOOLS_SECRET") as refused:
        read_settings().tool_secrets()
    assert "hunter2" not in refused.value.message


def test_the_readme_shows_these_settings() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert as_markdown() in readme, "run: python -m greenroom.settings, and paste it"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY is not set"),
        ({"PIPECAT_CLOUD_PUBLIC_KEY": " "}, "GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY is not set"),
        ({"PIPECAT_CLOUD_PUBLIC_KEY": "pk_1"}, "GREENROOM_LINK_URL is not set"),
        (
            {
                "PIPECAT_CLOUD_PUBLIC_KEY": "pk_1",
                "PIPECAT_CLOUD_URL": "http://127.0.0.1:8651",
                "PIPECAT_CLOUD_MAX_SESSION_S": "600",
            },
            "GREENROOM_PIPECAT_CLOUD_MAX_SESSION_S is 600, and a session may last 755 s",
        ),
    ],
)
def test_agents_on_pipecat_cloud_need_what_is_named(
    given: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_LAUNCHER", "pipecat-cloud")
    for name, value in given.items():
        monkeypatch.setenv(f"GREENROOM_{name}", value)
    with pytest.raises(BadSetting, match=named):
        read_settings().pipecat_cloud()


def test_agents_are_waited_for_longer_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().pipecat_cloud() is None
    monkeypatch.setenv("GREENROOM_LAUNCHER", "pipecat-cloud")
    monkeypatch.setenv("GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY", "pk_1")
    monkeypatch.setenv("GREENROOM_PIPECAT_CLOUD_PRIVATE_KEY", "sk_1")
    monkeypatch.setenv("GREENROOM_LINK_URL", "wss://greenroom.example/link")
    settings = read_settings()
    cloud = settings.pipecat_cloud()
    assert cloud is not None
    assert (cloud.public_key, cloud.private_key) == ("pk_1", "sk_1")
    assert "pk_1" not in repr(settings) + repr(cloud)
    assert settings.limits().join_s == 120
    monkeypatch.setenv("GREENROOM_JOIN_S", "45")
    assert read_settings().limits().join_s == 45
