"""What Daily answers when it refuses: a status, ``error`` for programs, ``info`` for people.

Statuses and names: https://docs.daily.co/docs/rest-api/errors.
"""

from __future__ import annotations


class Refusal(Exception):
    """An answer that is none.

    Args:
        status: The HTTP status.
        error: Stable, for programs.
        info: For people; its words may change.
        retry_after_s: When it makes sense to ask again.
    """

    def __init__(
        self, status: int, error: str, info: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(f"{status} {error}: {info}")
        self.status = status
        self.error = error
        self.info = info
        self.retry_after_s = retry_after_s


def invalid(info: str) -> Refusal:
    """The request cannot be carried out as it is."""
    return Refusal(400, "invalid-request-error", info)


def not_found(info: str) -> Refusal:
    """There is no such thing."""
    return Refusal(404, "not-found", info)


def no_header() -> Refusal:
    """Nobody says who asks."""
    return Refusal(400, "authorization-header-error", "missing or bad Authorization header")


def wrong_key() -> Refusal:
    """The key is none of ours, or was revoked."""
    return Refusal(401, "authentication-error", "the API key is not valid")


def too_many(retry_after_s: int) -> Refusal:
    """More requests than the limits allow."""
    return Refusal(
        429, "rate-limit-error", "too many requests, slow down", retry_after_s=retry_after_s
    )


def broken(status: int) -> Refusal:
    """Something failed inside, as it does now and then."""
    return Refusal(status, "server-error", "an unexpected error occurred")
