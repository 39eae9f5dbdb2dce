"""Has one real call and takes pictures of it: ``python -m tests.e2e.picture [FOLDER]``.

A picture of each moment (asked, right, wrong, goodbye) in light and dark, at desk and phone size,
and what the page played, as ``heard.wav``. The first one becomes ``docs/page.png``.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from greenroom.bot.deck import DECK
from tests.e2e.person import Person, a_browser, a_person
from tests.e2e.server import Server
from tests.e2e.speech import HEARD_HZ, wav_bytes
from tests.e2e.talk import Talk

_SIZES = {"desk": {"width": 1200, "height": 720}, "phone": {"width": 390, "height": 844}}
_README = Path(__file__).parents[2] / "docs" / "page.png"


async def main(folder: Path) -> None:
    """Talk, answer right and wrong, say goodbye; a picture of each moment."""
    state_dir = Path(tempfile.mkdtemp(prefix="greenroom-picture-"))
    server = Server(state_dir)
    await server.start()
    try:
        await server.ready()
        async with a_browser() as browser, a_person(browser, server.url) as person:
            await _call(person, folder)
            pcm = person.ears.recording()
            (folder / "heard.wav").write_bytes(wav_bytes(pcm, HEARD_HZ))
    finally:
        await server.stop()
        shutil.rmtree(state_dir)
    shutil.copy(folder / "2-right.light.desk.png", _README)


async def _call(person: Person, folder: Path) -> None:
    talk = Talk(person)
    await _take(person, folder / "0-before")
    await person.click("talk")
    first = await talk.hear_question()
    await _take(person, folder / "1-asked")
    second = await talk.answer(first.answer)
    await talk.give(second.answer)
    await _take(person, folder / "2-right")
    third = await talk.hear_question()
    await talk.give(next(card.answer for card in DECK if abs(card.answer - third.answer) > 20))
    await _take(person, folder / "3-wrong")
    await talk.hear_question()
    await person.say("goodbye")
    await person.see("notice", code="goodbye", timeout_s=20)
    await _take(person, folder / "4-goodbye")


async def _take(person: Person, path: Path) -> None:
    for scheme in ("light", "dark"):
        for name, size in _SIZES.items():
            await person.page.emulate_media(color_scheme=scheme)
            await person.page.set_viewport_size(size)  # type: ignore[arg-type]
            path_of_this = f"{path}.{scheme}.{name}.png"
            # Colours that are still on their way from one scheme to the other are not the page's.
            await person.page.screenshot(path=path_of_this, animations="disabled")


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".cache/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
