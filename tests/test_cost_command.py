"""``greenroom cost``: the guide's arithmetic on any list, and what was spent, as it was spent."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from greenroom.cli import app
from greenroom.ports.store import Store
from greenroom.session.cost import utc_day
from greenroom.session.model import Session, Stage
from greenroom.session.prices import Rate, Tariff
from greenroom.session.usage import used
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sqlite import open_sqlite
from greenroom.testing.store_contract import a_session, create
from tests.next_version import NextVersion

TARIFF = Tariff({"tts.characters": Rate(Decimal("0.015"), 1000)})


def greenroom(*words: str) -> Result:
    return CliRunner().invoke(app, ["cost", *words])


def test_an_agent_on_pipecat_cloud_by_its_list(environment: pytest.MonkeyPatch) -> None:
    prices = Path(__file__).parents[1] / "examples" / "cloud-agent" / "prices.toml"
    done = greenroom("--prices", str(prices), "--json")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.output)
    assert shown["hour"]["container"] == 0.6
    assert (shown["forgotten"]["hourUsd"], shown["unpriced"]) == (0.6, [])


def test_the_guides_arithmetic(environment: pytest.MonkeyPatch) -> None:
    done = greenroom("--forgotten", "10")
    assert done.exit_code == 0
    for figure in ("$0.10", "$0.05", "$0.36", "$0.60", "$0.30", "$1.41"):
        assert figure in done.output
    assert "10 forgotten tabs: $14.10 an hour, $338.40 a day, $10,152.00 in 30 days" in done.output
    assert "hard limit of 600 s: $2.35" in done.output


def test_ones_own_numbers(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("as_of = 2026-11-21\n[container]\nusd_per_hour = 6\n")
    done = greenroom(f"--prices={path}", "--sessions=200", "--minutes=3", "--json")
    told = json.loads(done.stdout)
    assert told["hour"] == {"container": 6.0, "llm": 0.0, "room": 0.0, "stt": 0.0, "tts": 0.0}
    assert told["unpriced"] == ["llm.calls", "stt.audio_seconds", "tts.characters"]
    assert told["sessions"] == {"dayUsd": 60.0}
    assert told["forgotten"]["untilHardLimitUsd"] == 1.0
    assert "Without a price in this list: llm.calls" in greenroom(f"--prices={path}").stderr


def test_a_list_with_a_typo_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("as_of = 2026-11-21\n[container]\nusd_per_hours = 6\n")
    done = greenroom(f"--prices={path}")
    assert done.exit_code == 1
    assert "Did you mean “usd_per_hour”?" in done.output.replace("\n", " ")


# ---- what was spent


async def _spend(store: Store) -> None:
    now = time.time()
    spenders = [("ada", "acme", 1000, 0), ("bob", "acme", 3000, 0), ("bob", "other", 500, 2)]
    for number, (user, tenant, characters, days_ago) in enumerate(spenders):
        made: Session = replace(
            a_session(number, user), tenant=tenant, tariff=TARIFF, stage=Stage.ENDING
        )
        session = await create(store, made)
        after = replace(session, meter=used(session.meter, "tts", "characters", characters))
        await store.commit(session, after, [], [], now - days_ago * 86_400)
    await store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def spent(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch) -> None:
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        environment.setenv("GREENROOM_DATABASE_URL", url)
        opening = PostgresDatabase(url).open()
    else:
        path: Path = request.getfixturevalue("sqlite_file")
        opening = open_sqlite(path)

    async def spend() -> None:
        await _spend(await opening)

    asyncio.run(spend())


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["--today", "--by=user"], {"ada": 0.015, "bob": 0.045}),
        (["--days=7", "--by=user"], {"ada": 0.015, "bob": 0.0525}),
        (["--by=tenant"], {"acme": 0.06, "other": 0.0075}),
        (["--by=assistant"], {"cards": 0.0675}),
    ],
)
def test_what_was_spent_by_whom(spent: None, words: list[str], rows: dict[str, float]) -> None:
    done = greenroom(*words, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {row["name"]: row["usd"] for row in told["rows"]} == rows
    assert told["usd"] == pytest.approx(sum(rows.values()))
    assert all(row["components"] == {"tts": row["usd"]} for row in told["rows"])
    assert told["until"] == utc_day(time.time())


def test_by_day_for_people(spent: None) -> None:
    done = greenroom("--days", "3")
    assert "$0.07" in done.output
    today, before = utc_day(time.time()), utc_day(time.time() - 2 * 86_400)
    lines = [line.split() for line in done.output.splitlines()]
    assert [before, "$0.007500"] in [line[:2] for line in lines]
    assert [today, "$0.06"] in [line[:2] for line in lines]


def test_the_meter_of_the_days_budget(spent: None, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GREENROOM_BUDGET_INSTALLATION_DAY_USD", "0.08")
    assert "75% of the day's budget, $0.08" in greenroom("--today").output


def test_before_there_is_a_database_nothing_was_spent(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "$0.00" in greenroom("--today").output
    assert not (tmp_path / "greenroom.db").exists()


def test_an_older_database_is_left_as_it_is(
    environment: pytest.MonkeyPatch, sqlite_file: Path, next_version: NextVersion
) -> None:
    next_version()
    done = greenroom("--today")
    assert (done.exit_code, "greenroom db upgrade" in done.output) == (1, True)
    assert not list(sqlite_file.parent.glob("*.backup.db"))
