"""Names that nobody reads, and secrets that do not keep anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.doctor import configuration
from greenroom.doctor.configuration import KNOWN
from greenroom.doctor.finding import Level

GOOD = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GREENROOM_PROT", "GREENROOM_PORT"),
        ("GREENROOM_DATABSE_URL", "GREENROOM_DATABASE_URL"),
        ("GREENROM_SECRET", "GREENROOM_SECRET"),
        ("GREENROOM_IDLE", "GREENROOM_IDLE_S"),
    ],
)
def test_a_slip_of_the_pen_is_told_with_what_was_meant(name: str, meant: str) -> None:
    (finding,) = configuration.names({name: "1", "PATH": "/bin"}, KNOWN)
    assert finding.level is Level.WARNING
    assert name in finding.message
    assert finding.mend == f"Did you mean {meant}?"


def test_a_name_from_nowhere_is_told_without_a_guess() -> None:
    (finding,) = configuration.names({"GREENROOM_XYZZY_QUUX": "1"}, KNOWN)
    assert "README" in finding.mend


def test_known_settings_and_other_peoples_variables_are_fine() -> None:
    environment = {"GREENROOM_PORT": "1", "GREENHOUSE_KEY": "2", "HOME": "/", "GREEN": "3"}
    environment["GREENROOM_RELAY_TOKEN"] = "4"
    (finding,) = configuration.names(environment, KNOWN)
    assert (finding.level, finding.message) == (Level.OK, "2 set, all of them known")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "not set"),
        ("", "empty"),
        ("   ", "empty"),
        ("hunter2", "7 characters of 32"),
        ("changeme" * 4, "example"),
        ("your-secret-goes-here-0123456789", "example"),
        ("ab" * 16, "guessed"),
    ],
)
def test_a_secret_that_is_none_is_a_problem_on_a_public_address(
    value: str | None, told: str
) -> None:
    finding = configuration.secret(value, host="0.0.0.0", host_is_loopback=False)
    assert finding.level is Level.PROBLEM
    assert told in finding.message
    assert "token_hex" in finding.mend
    assert not value or not value.strip() or value not in finding.message


def test_a_good_secret_is_good_and_on_loopback_none_is_needed() -> None:
    assert configuration.secret(GOOD, host="::", host_is_loopback=False).level is Level.OK
    assert configuration.secret(None, host="127.0.0.1", host_is_loopback=True).level is Level.OK
    empty = configuration.secret("", host="127.0.0.1", host_is_loopback=True)
    assert empty.level is Level.PROBLEM


def test_the_kept_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert configuration.kept_secret(path) == []
    path.write_text(GOOD)
    path.chmod(0o640)
    (finding,) = configuration.kept_secret(path)
    assert finding.mend == f"Run: chmod 600 {path}"
    path.chmod(0o600)
    assert configuration.kept_secret(path) == []
    path.write_text("\n")
    (finding,) = configuration.kept_secret(path)
    assert "empty" in finding.message
