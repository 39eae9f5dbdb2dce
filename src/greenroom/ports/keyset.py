"""Port: where the public keys come from by which an application's own sign-in signs its users."""

from __future__ import annotations

from typing import Protocol


class KeySet(Protocol):
    """A JSON Web Key Set (RFC 7517) that somebody else keeps."""

    @property
    def place(self) -> str:
        """Where it is, for operators."""
        ...

    async def read(self) -> str:
        """Its text as it is now, of a bounded size.

        Raises:
            Unavailable: It cannot be had.
        """
        ...
