"""Sessions of an assistant, ended ones too: which of them, and how many there are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from greenroom.ports.store import Listing
from greenroom.store import tables as t

_s = t.sessions.c


def wanted(listing: Listing) -> Select[Any]:
    """One page of them, the newest first; it goes by the index on when they were let in."""
    newest_first = (_s.admitted_at.desc(), _s.id.desc())
    page = select(t.sessions).where(*_which(listing)).order_by(*newest_first)
    return page.limit(listing.limit).offset(listing.offset)


def counted(listing: Listing) -> Select[Any]:
    """How many there are on all pages."""
    return select(func.count()).select_from(t.sessions).where(*_which(listing))


def _which(listing: Listing) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = [
        _s.assistant == listing.assistant,
        _s.admitted_at.is_not(None),
    ]
    if listing.tenant is not None:
        which.append(_s.tenant == listing.tenant)
    if listing.since is not None:
        which.append(_s.admitted_at >= listing.since)
    if listing.until is not None:
        which.append(_s.admitted_at <= listing.until)
    if listing.ended is not None:
        which.append((_s.stage == "ended") if listing.ended else (_s.stage != "ended"))
    if listing.reasons is not None:
        which.append(_s.reason.in_([reason.value for reason in listing.reasons]))
    return which
