"""Settings are refused by name, and secrets are where they belong."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from greenroom.errors import BadSetting
from greenroom.settings import as_markdown, read_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET", "HOST", "PORT", "ICE_SERVERS", "IDLE_S", "STATE_DIR", "DATABASE_URL"):
        monkeypatch.delenv(f"GREENROOM_{name}", raising=False)


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
        ("DATABASE_URL", "mysql://ada:hunter2@db/calls"),
    ],
)
def test_an_absurd_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GREENROOM_{name}", value)
    with pytest.raises(BadSetting, match=f"GREENROOM_{name}") as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)


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


def test_the_readme_shows_these_settings() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert as_markdown() in readme, "run: python -m greenroom.settings, and paste it"
