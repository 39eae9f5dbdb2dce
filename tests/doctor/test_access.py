"""Keys that are forgotten, and a sign-in whose keys cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from greenroom.doctor import access
from greenroom.doctor.finding import Level
from greenroom.outbound.keyset import key_set_at
from greenroom.store.sqlite import SqliteDatabase, open_sqlite
from greenroom.testing.store_contract import a_key, an_entry
from tests.api.test_issuer import public_jwk

_DAY_S = 86_400.0
_FOR_EVER = replace(a_key(), expires_at=None)
NOW = _FOR_EVER.created_at + 100 * _DAY_S


def test_a_key_that_is_forgotten_is_named() -> None:
    used = replace(_FOR_EVER, last_used_at=NOW - _DAY_S)
    expiring = replace(a_key(), expires_at=NOW + _DAY_S)
    revoked = replace(_FOR_EVER, revoked_at=NOW)
    (fine,) = access.judged([used, expiring, revoked], NOW)
    assert (fine.level, "2 good" in fine.message) == (Level.OK, True)
    (forgotten,) = access.judged([used, _FOR_EVER], NOW)
    assert forgotten.level is Level.WARNING
    assert forgotten.mend.endswith("greenroom keys revoke key_1")
    assert access.judged([], NOW) == []


async def test_keys_are_looked_for_where_a_database_is(tmp_path: Path, sqlite_file: Path) -> None:
    assert await access.keys(SqliteDatabase(tmp_path / "new.db"), NOW) == []
    assert not (tmp_path / "new.db").exists()
    store = await open_sqlite(sqlite_file)
    await store.keys.add(_FOR_EVER, "d" * 64, an_entry())
    await store.close()
    (finding,) = await access.keys(SqliteDatabase(sqlite_file), NOW)
    assert finding.level is Level.WARNING


async def test_the_keys_of_a_sign_in_are_read(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    missing = await access.sign_in(key_set_at(path.as_uri()))
    assert (missing.level, "GREENROOM_JWKS_URL" in missing.mend) == (Level.PROBLEM, True)
    path.write_text(json.dumps({"keys": [public_jwk("EC", "one")]}))
    assert (await access.sign_in(key_set_at(path.as_uri()))).level is Level.OK
