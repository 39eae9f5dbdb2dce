"""What all rooms must do: suites for pytest, run on each implementation of `Rooms`.

Subclass `RoomsContract` and give it a fixture ``rooms``. For rooms that tell who is in them
subclass `RoomsThatTellContract`, with a fixture ``people`` besides: what people do in them.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from greenroom.ports.rooms import FOR_TWO, Guest, Party, Rooms, Shape
from greenroom.wire.link import RoomSpec

NAME = "voice-ada-0123456789ab"
_OTHER = "voice-bob-0123456789ab"
_UNTIL = 1_800_003_600.0
USER = Guest(Party.USER, "ada", _UNTIL)
BOT = Guest(Party.BOT, "cards", _UNTIL)


class People(Protocol):
    """What people do in rooms that tell of them; the fixture's clock begins at 1,800,000,000."""

    def join(self, spec: RoomSpec, *, calling_themselves: str | None = None) -> str | None:
        """Come in by what they were given; which connection they are, None: they are kept out."""
        ...

    def leave(self, connection: str) -> None:
        """Go."""
        ...

    def inside(self, name: str) -> set[str]:
        """The connections that are in the room, as it is."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def open_to_all(self, name: str) -> None:
        """Somebody else makes the room public."""
        ...


class RoomsContract:
    """Holds for all rooms."""

    async def test_a_room_is_described_by_its_name(self, rooms: Rooms) -> None:
        await rooms.ensure(NAME)
        described = rooms.describe(NAME)
        assert (described.name, described.kind, described.token) == (NAME, rooms.kind, None)

    async def test_no_room_of_ours_is_elsewhere(self, rooms: Rooms) -> None:
        for url in ("", "https://evil.example/" + NAME, "https://[", "ftp://x/" + NAME):
            assert await rooms.name_at(url) is None

    async def test_everything_may_be_done_again_and_at_once(self, rooms: Rooms) -> None:
        await asyncio.gather(*(rooms.ensure(NAME) for _ in range(4)))
        await asyncio.gather(*(rooms.admit(NAME, USER) for _ in range(3)))
        await rooms.keep({NAME: FOR_TWO})
        await rooms.keep({NAME: FOR_TWO})
        await rooms.close(NAME)
        await rooms.close(NAME)
        await rooms.keep({})

    async def test_a_room_that_never_was_is_closed_as_well(self, rooms: Rooms) -> None:
        await rooms.close(NAME)

    async def test_a_closed_room_is_made_ready_again(self, rooms: Rooms) -> None:
        await rooms.ensure(NAME)
        await rooms.close(NAME)
        await rooms.ensure(NAME)
        assert (await rooms.admit(NAME, USER)).name == NAME

    async def test_nobody_is_somebody_by_a_name(self, rooms: Rooms) -> None:
        for name in ("bot", "user", "ada", "cards", ""):
            assert rooms.party_of(NAME, name) is None


class RoomsThatTellContract(RoomsContract):
    """Holds for rooms that tell who is in them."""

    async def _both(self, rooms: Rooms, people: People) -> tuple[str, str]:
        await rooms.ensure(NAME)
        bot = people.join(await rooms.admit(NAME, BOT))
        user = people.join(await rooms.admit(NAME, USER))
        assert bot is not None
        assert user is not None
        return user, bot

    async def test_user_and_bot_get_in_and_are_told_apart(
        self, rooms: Rooms, people: People
    ) -> None:
        user, bot = await self._both(rooms, people)
        people.wait(15)
        seen = {one.connection: one.party for one in (await rooms.occupants())[NAME]}
        assert seen == {user: Party.USER, bot: Party.BOT}

    async def test_a_room_says_whether_it_was_there_and_until_when_it_lasts(
        self, rooms: Rooms, people: People
    ) -> None:
        first = await rooms.ensure(NAME)
        people.wait(60)
        again = await rooms.ensure(NAME)
        assert (first.reused, again.reused) == (False, True)
        assert first.until is not None
        assert again.until == first.until  # it is kept by `keep`, and has more than half of it

    async def test_a_room_is_found_by_its_address(self, rooms: Rooms) -> None:
        url = (await rooms.admit(NAME, USER)).url
        assert url is not None
        assert await rooms.name_at(url) == await rooms.name_at(url + "/?t=x") == NAME
        assert await rooms.name_at(url.replace("https", "http")) is None
        assert await rooms.name_at(url + "/more") is None

    async def test_who_calls_themselves_bot_is_the_user_all_the_same(
        self, rooms: Rooms, people: People
    ) -> None:
        await rooms.ensure(NAME)
        people.join(await rooms.admit(NAME, USER), calling_themselves="bot")
        people.wait(15)
        assert [one.party for one in (await rooms.occupants())[NAME]] == [Party.USER]

    async def test_a_page_that_comes_back_is_not_kept_out_by_its_ghost(
        self, rooms: Rooms, people: People
    ) -> None:
        ghost, bot = await self._both(rooms, people)
        back = people.join(await rooms.admit(NAME, USER))
        assert back is not None
        assert people.inside(NAME) == {back, bot}
        assert ghost not in people.inside(NAME)

    async def test_a_bot_that_asks_again_disturbs_nobody(
        self, rooms: Rooms, people: People
    ) -> None:
        user, bot = await self._both(rooms, people)
        await rooms.admit(NAME, BOT)
        assert people.inside(NAME) == {user, bot}

    async def test_nobody_gets_in_without_a_token_or_by_another_rooms(
        self, rooms: Rooms, people: People
    ) -> None:
        await rooms.ensure(NAME)
        other = await rooms.admit(_OTHER, USER)
        assert people.join(rooms.describe(NAME)) is None
        assert people.join(rooms.describe(NAME).model_copy(update={"token": other.token})) is None

    async def test_a_room_that_somebody_opened_is_private_again_before_anybody_is_let_in(
        self, rooms: Rooms, people: People
    ) -> None:
        await rooms.ensure(NAME)
        people.open_to_all(NAME)
        stranger = people.join(rooms.describe(NAME))
        assert stranger is not None
        people.wait(15)
        assert people.join(await rooms.admit(NAME, USER)) is not None
        assert stranger not in people.inside(NAME)
        assert people.join(rooms.describe(NAME)) is None

    async def test_a_room_that_is_kept_outlasts_any_call(
        self, rooms: Rooms, people: People
    ) -> None:
        both = set(await self._both(rooms, people))
        for _ in range(5):
            people.wait(600)
            await rooms.keep({NAME: FOR_TWO})
        assert people.inside(NAME) == both

    async def test_a_room_that_nobody_keeps_empties_itself(
        self, rooms: Rooms, people: People
    ) -> None:
        await self._both(rooms, people)
        people.wait(3_600)
        assert people.inside(NAME) == set()

    async def test_a_guest_is_gone_when_their_time_is_over(
        self, rooms: Rooms, people: People
    ) -> None:
        user, bot = await self._both(rooms, people)
        for _ in range(6):
            people.wait(600)
            await rooms.keep({NAME: FOR_TWO})
        assert not {user, bot} & people.inside(NAME)

    async def test_a_closed_room_is_empty_and_lets_nobody_back(
        self, rooms: Rooms, people: People
    ) -> None:
        await self._both(rooms, people)
        spec = await rooms.admit(NAME, BOT)
        await rooms.close(NAME)
        assert people.inside(NAME) == set()
        assert people.join(spec) is None

    async def test_several_users_get_in_and_are_told_apart_by_their_tokens(
        self, rooms: Rooms, people: People
    ) -> None:
        shape = Shape(places=3, video=True)
        await rooms.ensure(NAME, shape)
        guests = [
            replace(USER, name="the same name", person=user, video=True) for user in ("ada", "bob")
        ]
        joined = [people.join(await rooms.admit(NAME, guest, shape)) for guest in guests]
        bot = people.join(await rooms.admit(NAME, BOT, shape))
        assert {*joined, bot} == people.inside(NAME)
        eve = await rooms.admit(NAME, replace(USER, person="eve"), shape)
        assert people.join(eve) is None  # every place is taken
        back = people.join(await rooms.admit(NAME, guests[0], shape))
        assert people.inside(NAME) == {back, joined[1], bot}
        people.wait(15)
        seen = {one.connection: (one.party, one.user_id) for one in (await rooms.occupants())[NAME]}
        ids = [rooms.id_of(NAME, guest) for guest in guests]
        assert seen[back or ""] == (Party.USER, ids[0])
        assert seen[joined[1] or ""] == (Party.USER, ids[1])
        assert all(rooms.party_of(NAME, id_) is Party.USER for id_ in ids)
        assert [rooms.party_of(_OTHER, id_) for id_ in ids] == [None, None]

    async def test_who_left_is_told_of_no_more(self, rooms: Rooms, people: People) -> None:
        user, bot = await self._both(rooms, people)
        people.leave(user)
        people.wait(15)
        assert [one.connection for one in (await rooms.occupants())[NAME]] == [bot]
