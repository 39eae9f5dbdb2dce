"""A stand-in for Pipecat Cloud: its API, strict, with its cold starts, limits, faults and delays.

In process (`PipecatCloud.app` is an ASGI application) or as ``greenroom stand-in pipecat-cloud``.
What it accepts and answers follows Pipecat Cloud's REST reference (OpenAPI, August 2026); what an
agent does is given: nothing, or a process of its own (`greenroom.testing.agents`).
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from greenroom.ports.clock import Clock
from greenroom.testing.deployments import Deployment, Fault, Hosted
from greenroom.wire.translate import rfc3339

MAX_BODY_BYTES = 1024 * 1024
TICK_S = 0.02


class Refused(Exception):
    """A refusal in Pipecat Cloud's form."""

    def __init__(
        self, status: int, code: str, error: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.answer = JSONResponse({"error": error, "code": code}, status, headers)


class _Start(BaseModel):
    """What a start may say; whatever else it says at the top is dropped."""

    model_config = ConfigDict(extra="ignore", strict=True)

    createDailyRoom: bool = False
    dailyRoomProperties: dict[str, Any] | None = None
    dailyMeetingTokenProperties: dict[str, Any] | None = None
    enableDefaultIceServers: bool = False
    transport: Literal["daily", "webrtc", "websocket"] | None = None
    body: dict[str, Any] | None = Field(default=None)


class PipecatCloud:
    """Pipecat Cloud with some deployments.

    Args:
        deployments: What can be started.
        clock: The time; cold starts and the end of sessions go by it.
        public_keys: With which sessions are started; they may be revoked by removing them.
        private_keys: With which they are listed and stopped.
        wait: Waits for a delay that was ordered, in seconds.
    """

    def __init__(
        self,
        deployments: Iterable[Deployment],
        *,
        clock: Clock,
        public_keys: Iterable[str] = ("pk_stand-in",),
        private_keys: Iterable[str] = ("sk_stand-in",),
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.deployments = {deployment.name: deployment for deployment in deployments}
        self.public_keys, self.private_keys = set(public_keys), set(private_keys)
        self.sessions: dict[str, Hosted] = {}
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, str]] = []
        self._clock = clock
        self._wait = wait
        self.app = _app(self)

    # ---- what a test orders and sees

    def order(self, fault: Fault) -> None:
        """Have something go wrong."""
        self.faults.append(fault)

    def active(self, name: str) -> list[Hosted]:
        """The sessions of a deployment that have not ended."""
        hosted = self.sessions.values()
        return [one for one in hosted if one.deployment.name == name and one.ended_at is None]

    async def tick(self) -> None:
        """Let happen what is due: agents begin, sessions end by themselves or at their limit."""
        now = self._clock.now()
        for one in [one for one in self.sessions.values() if one.ended_at is None]:
            deployment = one.deployment
            cold_s = deployment.cold_start_s if one.cold else 0.0
            if one.begun_at is None and now >= one.created_at + cold_s:
                one.begun_at = now
                await deployment.agent.start(one)
            code = deployment.agent.exit_code(one)
            if code is not None:
                done = ("completed", "HTTP_COMPLETED") if code == 0 else ("agent_error", "500")
                self._ended(one, *done)
            elif now >= one.created_at + deployment.max_session_s:
                await deployment.agent.stop(one)
                self._ended(one, "completed", "HTTP_COMPLETED")

    async def run(self) -> None:
        """Tick until cancelled; then no agent is left."""
        try:
            while True:
                await self.tick()
                await asyncio.sleep(TICK_S)
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop every agent."""
        for one in [one for one in self.sessions.values() if one.ended_at is None]:
            await one.deployment.agent.stop(one)
            self._ended(one, "terminated", "HTTP_COMPLETED")

    # ---- what clients ask

    async def start(self, name: str, asked: _Start) -> dict[str, Any]:
        """``POST /v1/public/{name}/start``."""
        deployment = self._deployment(name)
        await self.tick()
        active = len(self.active(name))
        if active >= deployment.max_agents:
            raise Refused(429, "429", "Service maximum agent instances reached")
        session = Hosted(
            deployment,
            asked.body or {},
            "daily" if asked.createDailyRoom else asked.transport,
            cold=active >= deployment.min_agents,
            created_at=self._clock.now(),
        )
        answer: dict[str, Any] = {"sessionId": session.id}
        if session.transport == "daily":
            session.daily_room = f"https://stand-in.daily.co/{secrets.token_urlsafe(12)}"
            session.daily_token = secrets.token_urlsafe(32)
            answer |= {"dailyRoom": session.daily_room, "dailyToken": session.daily_token}
        if asked.enableDefaultIceServers:
            answer["iceConfig"] = {"iceServers": []}
        self.sessions[session.id] = session
        await self.tick()
        return answer

    async def listed(self, name: str, status: str, limit: int, offset: int) -> dict[str, Any]:
        """``GET /v1/agents/{name}/sessions``."""
        self._deployment(name)
        await self.tick()
        found = [one for one in self.sessions.values() if one.deployment.name == name]
        if status != "all":
            found = [one for one in found if (one.ended_at is None) == (status == "active")]
        found.sort(key=lambda one: one.created_at, reverse=True)
        page = found[offset : offset + limit]
        return {"sessions": [self._line(one) for one in page], "total_count": len(found)}

    async def get(self, name: str, session_id: str) -> dict[str, Any]:
        """``GET /v1/agents/{name}/sessions/{session_id}``."""
        await self.tick()
        return {**self._line(self._session(name, session_id)), "meetingIds": []}

    async def stop(self, name: str, session_id: str) -> dict[str, Any]:
        """``DELETE /v1/agents/{name}/sessions/{session_id}``."""
        match self._deployment(name).stops:
            case None:
                raise Refused(404, "404", "API endpoint not found")
            case False:
                raise Refused(405, "405", "Method not allowed")
        await self.tick()
        session = self._session(name, session_id)
        if session.ended_at is not None:
            raise Refused(404, "404", "Session not found")
        await session.deployment.agent.stop(session)
        self._ended(session, "terminated", "HTTP_COMPLETED")
        return {"status": "terminated", "session_id": session_id}

    def details(self, name: str) -> dict[str, Any]:
        """``GET /v1/agents/{name}``."""
        deployment = self._deployment(name)
        spec = {"maxSessionDurationSeconds": round(deployment.max_session_s)}
        return {
            **_ids(deployment),
            "ready": True,
            "available": True,
            "autoScaling": {
                "minReplicas": deployment.min_agents,
                "maxReplicas": deployment.max_agents,
            },
            "activeSessionCount": len(self.active(name)),
            "deployment": {"manifest": {"spec": spec}},
        }

    def _ended(self, session: Hosted, state: str, completion: str) -> None:
        session.ended_at = self._clock.now()
        session.end_state, session.completion = state, completion

    def _deployment(self, name: str) -> Deployment:
        try:
            return self.deployments[name]
        except KeyError:
            raise Refused(404, "404", "Agent deployment not found") from None

    def _session(self, name: str, session_id: str) -> Hosted:
        self._deployment(name)
        try:
            uuid.UUID(session_id)
        except ValueError:
            raise Refused(400, "400", "Invalid session ID format") from None
        session = self.sessions.get(session_id)
        if session is None or session.deployment.name != name:
            raise Refused(404, "404", "Session not found")
        return session

    def _line(self, session: Hosted) -> dict[str, Any]:
        began, ended = session.begun_at, session.ended_at
        return {
            "sessionId": session.id,
            "serviceId": session.deployment.id,
            "organizationId": "stand-in",
            "deploymentId": session.deployment.deployment_id,
            "createdAt": rfc3339(session.created_at),
            "updatedAt": rfc3339(ended or began or session.created_at),
            "endedAt": rfc3339(ended) if ended is not None else None,
            "botStartSeconds": round(began - session.created_at) if began is not None else None,
            "coldStart": session.cold if began is not None else None,
            "completionStatus": session.completion,
            "endState": session.end_state or "active",
        }

    @asynccontextmanager
    async def answering(self, call: str, path: str) -> AsyncIterator[None]:
        """Around the carrying out of a call: what was ordered to go wrong."""
        self.calls.append((call, path))
        fault = next((one for one in self.faults if one.on == call and one.times > 0), None)
        if fault is None:
            yield
            return
        fault.times -= 1
        if fault.late:
            yield
        if fault.delay_s:
            await self._wait(fault.delay_s)
        if fault.status is not None:
            after = fault.retry_after_s
            headers = {"Retry-After": str(after)} if after is not None else None
            raise Refused(fault.status, str(fault.status), "Ordered by the test", headers)
        if not fault.late:
            yield

    def check_key(self, request: Request, *, public: bool) -> None:
        """Refuse whoever does not show a key of the right kind."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if not key and public:
            raise Refused(401, "PCC-1002", "Attempt to start agent without public api key.")
        if scheme.lower() != "bearer" or key not in (
            self.public_keys if public else self.private_keys
        ):
            raise Refused(401, "401", "Unauthorized / token expired")


def _ids(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "name": deployment.name,
        "region": "stand-in",
        "activeDeploymentId": deployment.deployment_id,
        "desiredDeploymentId": deployment.deployment_id,
    }


def _app(cloud: PipecatCloud) -> FastAPI:
    app = FastAPI(title="Stand-in for Pipecat Cloud", docs_url=None, redoc_url=None)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return error.answer

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        issues = [{"path": issue["loc"], "message": issue["msg"]} for issue in error.errors()]
        body = {"error": "Invalid parameters", "code": "400", "err": {"issues": issues}}
        return JSONResponse(body, 400)

    @app.post("/v1/public/{name}/start")
    async def start(name: str, request: Request) -> dict[str, Any]:
        cloud.check_key(request, public=True)
        raw = await request.body()
        if len(raw) > MAX_BODY_BYTES:
            raise Refused(413, "413", "Request body too large")
        try:
            asked = _Start.model_validate_json(raw)
        except ValueError:
            raise Refused(400, "400", "Invalid request") from None
        async with cloud.answering("start", name):
            return await cloud.start(name, asked)

    @app.get("/v1/agents")
    async def agents(request: Request) -> dict[str, Any]:
        cloud.check_key(request, public=False)
        return {"services": [_ids(one) for one in cloud.deployments.values()]}

    @app.get("/v1/agents/{name}")
    async def agent(name: str, request: Request) -> dict[str, Any]:
        cloud.check_key(request, public=False)
        async with cloud.answering("get", name):
            return cloud.details(name)

    @app.get("/v1/agents/{name}/sessions")
    async def sessions(
        name: str,
        request: Request,
        status: Literal["active", "ended", "all"] = "all",
        limit: int = 10,
        offset: int = 0,
    ) -> dict[str, Any]:
        cloud.check_key(request, public=False)
        async with cloud.answering("list", name):
            return await cloud.listed(name, status, limit, offset)

    @app.get("/v1/agents/{name}/sessions/{session_id}")
    async def session(name: str, session_id: str, request: Request) -> dict[str, Any]:
        cloud.check_key(request, public=False)
        async with cloud.answering("get", session_id):
            return await cloud.get(name, session_id)

    @app.delete("/v1/agents/{name}/sessions/{session_id}")
    async def stop(name: str, session_id: str, request: Request) -> dict[str, Any]:
        cloud.check_key(request, public=False)
        async with cloud.answering("stop", session_id):
            return await cloud.stop(name, session_id)

    return app
