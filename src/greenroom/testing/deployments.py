"""What the stand-in for Pipecat Cloud runs: deployments, their agents and sessions, and faults."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

# Pipecat Cloud's best case for a cold start; 65 s were seen.
COLD_START_S = 10.0


class Agent(Protocol):
    """What runs for a session, once its instance is there."""

    async def start(self, session: Hosted) -> None:
        """Begin; returns at once."""
        ...

    async def stop(self, session: Hosted) -> None:
        """End for certain; returns when it is gone."""
        ...

    def exit_code(self, session: Hosted) -> int | None:
        """With what it ended by itself; None: it runs."""
        ...


class Idle:
    """An agent that does nothing until it is stopped, or told to end by `finish`."""

    def __init__(self) -> None:
        self.started: list[Hosted] = []
        self.finished: dict[str, int] = {}

    async def start(self, session: Hosted) -> None:
        """See `Agent.start`."""
        self.started.append(session)

    async def stop(self, session: Hosted) -> None:
        """See `Agent.stop`."""

    def exit_code(self, session: Hosted) -> int | None:
        """See `Agent.exit_code`."""
        return self.finished.get(session.id)

    def finish(self, session_id: str, exit_code: int = 0) -> None:
        """Have it end by itself."""
        self.finished[session_id] = exit_code


@dataclass
class Deployment:
    """One agent as it was deployed.

    Attributes:
        name: What it is started by.
        agent: What runs for each of its sessions.
        max_agents: Sessions at once; one more is 429.
        min_agents: Instances that are kept warm.
        cold_start_s: Until the agent of a session without a warm instance begins.
        max_session_s: A session ends by itself after so long.
        stops: Whether a session can be stopped; None: that path is unknown (404), False: 405.
    """

    name: str
    agent: Agent = field(default_factory=Idle)
    max_agents: int = 50
    min_agents: int = 0
    cold_start_s: float = COLD_START_S
    max_session_s: float = 7_200.0
    stops: bool | None = True
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deployment_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Hosted:
    """A session of a deployment. Times: seconds since the epoch; None until it happened."""

    deployment: Deployment
    body: Any
    transport: str | None
    cold: bool
    created_at: float
    daily_room: str | None = None
    daily_token: str | None = None
    begun_at: float | None = None
    ended_at: float | None = None
    end_state: str | None = None
    completion: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Fault:
    """What goes wrong, to order.

    Attributes:
        on: ``start``, ``list``, ``get`` or ``stop``.
        status: What is answered instead.
        times: How often.
        retry_after_s: In ``Retry-After``.
        delay_s: How long the answer takes.
        late: It is carried out all the same, and only the answer is this one.
    """

    on: Literal["start", "list", "get", "stop"]
    status: int | None = 500
    times: int = 1
    retry_after_s: int | None = None
    delay_s: float = 0.0
    late: bool = False
