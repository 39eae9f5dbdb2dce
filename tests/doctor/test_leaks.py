"""Secrets that got into the page or into the bots are found, and never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.doctor import leaks
from greenroom.doctor.finding import Finding, Level
from greenroom.wire.link import IceServer

SECRET = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse battery"
URL = "postgresql://ada:correct%20horse%20battery@db.example/calls"
OURS = {"GREENROOM_SECRET": SECRET, "the password of GREENROOM_DATABASE_URL": PASSWORD}


def problems(findings: list[Finding]) -> list[str]:
    told = [f.message for f in findings if f.level is Level.PROBLEM]
    assert not any(SECRET in text or PASSWORD in text for text in told)
    return told


def test_what_only_the_server_may_know() -> None:
    assert leaks.server_secrets(SECRET, URL, "") == OURS
    assert leaks.server_secrets(None, "postgresql:///calls", SECRET) == {
        "the secret in the state folder": SECRET
    }


def test_a_secret_in_a_built_file_of_the_page_is_found(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>Greenroom</title>")
    (finding,) = leaks.page_files(tmp_path, OURS)
    assert (finding.level, finding.message) == (Level.OK, "no secret in the page's 1 files")
    (tmp_path / "assets" / "app.js").write_bytes(b'\xff const key="' + SECRET.encode() + b'"')
    (told,) = problems(leaks.page_files(tmp_path, OURS))
    assert "GREENROOM_SECRET stands in assets/app.js" in told


def test_a_short_value_accuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text("let a = 1")
    assert problems(leaks.page_files(tmp_path, {"GREENROOM_SECRET": "a"})) == []
    assert problems(leaks.bots_environment({"HOME": "/a"}, {"GREENROOM_SECRET": "a"})) == []


def test_keys_of_others_are_recognised_by_name() -> None:
    environment = {
        "OPENAI_API_KEY": "sk-0123456789abcdef",
        "DEEPGRAM_TOKEN": "0123456789abcdef",
        "VAPI_PUBLIC_KEY": "0123456789abcdef",
        "GREENROOM_SECRET": SECRET,
        "SSL_PRIVATE_KEY": "/etc/ssl/private/key.pem",
        "SHORT_TOKEN": "abc",
        "HOME": "/home/a-long-name",
    }
    assert set(leaks.keys_in(environment)) == {"OPENAI_API_KEY", "DEEPGRAM_TOKEN"}


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("VITE_OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("NEXT_PUBLIC_DAILY_TOKEN", "DAILY_TOKEN"),
        ("REACT_APP_SECRET", "SECRET"),
    ],
)
def test_a_key_under_a_pages_prefix_is_found(name: str, stays: str) -> None:
    (finding,) = leaks.variables_for_pages({name: "x"})
    assert finding.level is Level.PROBLEM
    assert name in finding.message
    assert stays in finding.mend


@pytest.mark.parametrize("name", ["VITE_API_URL", "NEXT_PUBLIC_VAPI_PUBLIC_KEY", "OPENAI_API_KEY"])
def test_what_pages_may_know_is_fine(name: str) -> None:
    assert leaks.variables_for_pages({name: "x"}) == []


def test_a_turn_server_with_our_own_secret_is_found() -> None:
    turn = IceServer(urls=["turn:a.example"], username="u", credential=SECRET)
    (told,) = problems(leaks.page_config([turn], OURS, host_is_loopback=True))
    assert "value of GREENROOM_SECRET" in told
    other = IceServer(urls=["turn:a.example"], username="u", credential="another")
    assert leaks.page_config([other], OURS, host_is_loopback=True) == []
    (finding,) = leaks.page_config([other], OURS, host_is_loopback=False)
    assert finding.level is Level.WARNING


def test_a_server_secret_that_bots_get_under_another_name_is_found() -> None:
    environment = {"HOME": "/", "PGPASSWORD": PASSWORD, "APP_SECRET": f"v1:{SECRET}"}
    told = problems(leaks.bots_environment(environment, OURS))
    assert [text.split()[0] for text in told] == ["APP_SECRET", "PGPASSWORD"]
    (finding,) = leaks.bots_environment({"OPENAI_API_KEY": "sk-0123456789"}, OURS)
    assert finding.level is Level.OK


def test_a_dotenv_that_bots_load_must_not_hold_the_servers_secret(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert leaks.dotenv(path) == []
    path.write_text("# GREENROOM_SECRET=no\nOPENAI_API_KEY=sk\nexport GREENROOM_SECRET = x\n")
    (finding,) = leaks.dotenv(path)
    assert finding.level is Level.WARNING
    assert "GREENROOM_SECRET" in finding.message
