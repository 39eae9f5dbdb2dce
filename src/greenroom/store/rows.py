"""Between records and rows: one function each way."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import RowMapping

from greenroom.session.group import GroupCall, Person
from greenroom.session.model import EndReason, Limits, PauseCause, Presence, Session, Stage
from greenroom.session.prices import METERING_S, Rate, Tariff
from greenroom.session.usage import Meter

_PLAIN = {f.name for f in fields(Session)} - {
    "stage",
    "limits",
    "tariff",
    "meter",
    "bot_presence",
    "user_presence",
    "pause_causes",
    "group_call",
    "reason",
}


def to_row(session: Session) -> dict[str, Any]:
    """The row of a session."""
    row: dict[str, Any] = {name: getattr(session, name) for name in _PLAIN}
    row["stage"] = session.stage.value
    row["limits"] = asdict(session.limits)
    row["tariff"] = _from_tariff(session.tariff)
    row["meter"] = {**asdict(session.meter), "warned": sorted(session.meter.warned)}
    row["bot_presence"] = session.bot_presence.value
    row["user_presence"] = session.user_presence.value
    row["pause_causes"] = sorted(session.pause_causes)
    row["kind"] = session.kind.value
    row["group_call"] = _from_call(session.group_call) if session.group_call else None
    row["reason"] = session.reason.value if session.reason else None
    return row


def from_row(row: RowMapping) -> Session:
    """The session of a row."""
    plain = {name: row[name] for name in _PLAIN}
    return Session(
        **plain,
        stage=Stage(row["stage"]),
        limits=Limits(**row["limits"]),
        tariff=_to_tariff(row["tariff"]),
        meter=_to_meter(row["meter"]),
        bot_presence=Presence(row["bot_presence"]),
        user_presence=Presence(row["user_presence"]),
        pause_causes=frozenset(PauseCause(cause) for cause in row["pause_causes"]),
        group_call=_to_call(row["group_call"]) if row["group_call"] else None,
        reason=EndReason(row["reason"]) if row["reason"] else None,
    )


def _from_tariff(tariff: Tariff) -> dict[str, Any]:
    rates = {name: str(rate) for name, rate in tariff.rates.items()}
    return {
        "rates": rates,
        "metering_s": tariff.metering_s,
        "budget_micro_usd": tariff.budget_micro_usd,
    }


def _to_tariff(data: dict[str, Any]) -> Tariff:
    """A session from before there were prices has none."""
    rates = {name: Rate.parse(text) for name, text in data.get("rates", {}).items()}
    return Tariff(rates, data.get("metering_s", METERING_S), data.get("budget_micro_usd"))


def _to_meter(data: dict[str, Any]) -> Meter:
    return Meter(**{**data, "warned": frozenset(data.get("warned", ()))})


def _from_call(call: GroupCall) -> dict[str, Any]:
    invited = None if call.invited is None else sorted(call.invited)
    return {**asdict(call), "invited": invited}


def _to_call(data: dict[str, Any]) -> GroupCall:
    invited = None if data["invited"] is None else frozenset(data["invited"])
    people = tuple(Person(**person) for person in data["people"])
    return GroupCall(data["places"], data["video"], invited, people)
