"""What a browser may keep: of the built page what is still true, and of answers nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.api import page
from tests.conftest import House


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page as Vite builds it; requested before `server`."""
    for path in ("index.html", "assets/index-BJw-xWHH.js", "client/index.js"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("built")
    monkeypatch.setattr(page, "PAGE", tmp_path)


async def kept(server: House, path: str) -> tuple[int, str | None]:
    async with server.client() as client:
        answer = await client.get(path)
    return answer.status_code, answer.headers.get("cache-control")


@pytest.mark.parametrize(
    "path", ["/api/voice/notes", "/api/voice/config", "/api/nothing", "/healthz", "/docs"]
)
async def test_no_answer_is_kept(server: House, path: str) -> None:
    """“Back” gives a page what was kept: it would be told that there is no session."""
    assert (await kept(server, path))[1] == "no-store"


@pytest.mark.usefixtures("built")
async def test_the_page_is_asked_for_anew_and_its_parts_are_kept(server: House) -> None:
    for path in ("/", "/index.html", "/client/index.js"):
        assert await kept(server, path) == (200, "no-cache")
    parts = await kept(server, "/assets/index-BJw-xWHH.js")
    assert parts == (200, "public, max-age=31536000, immutable")
    assert await kept(server, "/assets/index-older.js") == (404, "no-store")
