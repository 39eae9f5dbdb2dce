"""What is wrong with a record's services, each with its path, before anybody talks to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from greenroom.errors import GreenroomError

Code = Literal["unknown_service", "missing_extra", "missing_key", "bad_setting", "service_failed"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps an assistant from working.

    Attributes:
        path: Where in the record: ``tts.settings.speed``.
        code: What kind of thing it is; stable.
        message: What is missing and what to do about it; never a secret's value.
    """

    path: str
    code: Code
    message: str

    def as_data(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)


class NotReady(GreenroomError):
    """The record's services cannot be made here."""

    code = "assistant_not_ready"
    status = 503

    def __init__(self, problems: Sequence[Problem]) -> None:
        listed = "; ".join(f"{one.path}: {one.message}" for one in problems)
        super().__init__(f"The assistant is not ready: {listed}")
        self.problems = list(problems)
