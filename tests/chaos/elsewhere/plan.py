"""What goes wrong where rooms and agents are other people's, and how often."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """The ways in which the world misbehaves."""

    KILL_SERVER = "kill server"
    TERM_SERVER = "SIGTERM to server"
    FREEZE_SERVER = "freeze server"
    DATABASE_AWAY = "database away"
    CLOCK_FORWARD = "clock forward"
    CLOCK_BACK = "clock back"
    CUT_LINES = "cut what agents dial"
    SILENT_LINES = "agents are not heard"
    KILL_AGENT = "kill agent"
    STOP_AGENT = "SIGSTOP agent"
    HANG_AGENT = "hang agent in synchronous code"
    COLD_STARTS = "cold starts"
    POOL_FULL = "pool full"
    START_FAILS = "start fails"
    START_LOST = "start carried out, answer lost"
    START_LATE = "start carried out late"
    START_429 = "start 429"
    STOP_FAILS = "stop fails"
    STOP_LOST = "stop carried out, answer lost"
    LIST_FAILS = "list fails"
    NO_STOP = "agents cannot be stopped"
    CLOUD_AWAY = "Pipecat Cloud away"
    CLOUD_SILENT = "Pipecat Cloud silent"
    ROOMS_FAIL = "Daily fails"
    ROOMS_LOST = "Daily carries out, answer lost"
    ROOMS_LATE = "Daily late"
    ROOMS_429 = "Daily 429"
    DAILY_AWAY = "Daily away"
    DAILY_SILENT = "Daily silent"
    ROOM_TAKEN = "room deleted"
    ROOM_PUBLIC = "room made public"
    EVENTS_LATE = "webhooks late and out of order"
    EVENTS_TWICE = "webhooks twice"
    EVENTS_MISSING = "webhooks missing"


# How often each comes, by weight; what takes a whole house down costs seconds each.
WEIGHTS = {
    Fault.KILL_SERVER: 5,
    Fault.TERM_SERVER: 2,
    Fault.FREEZE_SERVER: 3,
    Fault.DATABASE_AWAY: 2,
    Fault.CLOCK_FORWARD: 2,
    Fault.CLOCK_BACK: 2,
    Fault.CUT_LINES: 8,
    Fault.SILENT_LINES: 3,
    Fault.KILL_AGENT: 8,
    Fault.STOP_AGENT: 8,
    Fault.HANG_AGENT: 6,
    Fault.COLD_STARTS: 4,
    Fault.POOL_FULL: 4,
    Fault.START_FAILS: 6,
    Fault.START_LOST: 6,
    Fault.START_LATE: 3,
    Fault.START_429: 3,
    Fault.STOP_FAILS: 6,
    Fault.STOP_LOST: 4,
    Fault.LIST_FAILS: 4,
    Fault.NO_STOP: 5,
    Fault.CLOUD_AWAY: 4,
    Fault.CLOUD_SILENT: 2,
    Fault.ROOMS_FAIL: 6,
    Fault.ROOMS_LOST: 5,
    Fault.ROOMS_LATE: 3,
    Fault.ROOMS_429: 4,
    Fault.DAILY_AWAY: 4,
    Fault.DAILY_SILENT: 2,
    Fault.ROOM_TAKEN: 4,
    Fault.ROOM_PUBLIC: 3,
    Fault.EVENTS_LATE: 5,
    Fault.EVENTS_TWICE: 5,
    Fault.EVENTS_MISSING: 4,
}
