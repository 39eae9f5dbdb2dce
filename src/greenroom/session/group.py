"""A group call's people: who may be in its room, who is, and by which connection."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who was let into a group call.

    Attributes:
        id: What their token calls them in the room; nobody has it who was not given one.
        user_id: Who they are, as their token for us says.
        connection: Their connection with the room; None: they are not in it.
        joined_at: When they first were, in seconds since the epoch; None: never yet.
    """

    id: str
    user_id: str
    connection: str | None = None
    joined_at: float | None = None


@dataclass(frozen=True, slots=True)
class GroupCall:
    """What makes a session a group call.

    Attributes:
        places: How many may be in its room at once, the bot included.
        video: Whether people may have their cameras on.
        invited: Which users may come in, its host beside them; None: whoever knows of it.
        people: Who was let in, in order.
    """

    places: int
    video: bool = True
    invited: frozenset[str] | None = None
    people: tuple[Person, ...] = ()

    @property
    def present(self) -> tuple[Person, ...]:
        """Those who are in the room."""
        return tuple(person for person in self.people if person.connection is not None)

    def person(self, id_: str | None) -> Person | None:
        """Whoever is called so in the room; None: nobody who was let in."""
        return next((person for person in self.people if person.id == id_), None)

    def is_of(self, user_id: str) -> bool:
        """Whether this user was let in."""
        return any(person.user_id == user_id for person in self.people)

    def letting_in(self, id_: str, user_id: str) -> GroupCall:
        """With this person among those who may be in the room."""
        if self.person(id_) is not None:
            return self
        return replace(self, people=(*self.people, Person(id_, user_id)))

    def with_person(self, person: Person) -> GroupCall:
        """With what is known of this person now."""
        return replace(self, people=tuple(person if p.id == person.id else p for p in self.people))
