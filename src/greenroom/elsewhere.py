"""Settings of bots that run elsewhere: what is needed together, checked by name at start-up."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from greenroom.errors import BadSetting
from greenroom.session.deadlines import longest_life_s
from greenroom.session.model import Limits
from greenroom.spelling import is_loopback

# Until both are in the room, where an instance may have to be made first; 65 s were seen.
COLD_JOIN_S = 120.0


class LauncherKind(StrEnum):
    """Where bots run."""

    LOCAL = "local"
    PIPECAT_CLOUD = "pipecat-cloud"


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """How to reach the agents on Pipecat Cloud.

    Attributes:
        public_key: Starts them.
        private_key: Lists and stops them; None: nobody can.
        agent: The deployment; None: it is called as the bot is.
        url: The API's, without ``/v1``.
        max_session_s: How long the deployment lets a session run.
    """

    public_key: str = field(repr=False)
    private_key: str | None = field(repr=False)
    agent: str | None
    url: str
    max_session_s: float

    @classmethod
    def checked(
        cls,
        *,
        public_key: str | None,
        private_key: str | None,
        agent: str | None,
        url: str,
        max_session_s: float,
        has_link_url: bool,
        limits: Limits,
    ) -> CloudSettings:
        """The same, once it is sure to work together; for what is not said here, see the class.

        Args:
            public_key: None: it is missing.
            private_key: As there.
            agent: As there.
            url: As there.
            max_session_s: As there.
            has_link_url: Whether agents are told an address that they can dial.
            limits: The most that a session may last.

        Raises:
            BadSetting: A key or an address is missing, or sessions may be longer than agents live.
        """
        if public_key is None:
            raise BadSetting(
                "GREENROOM_LAUNCHER is pipecat-cloud, and GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY is "
                "not set. Make one: pipecat cloud organizations keys create"
            )
        if not has_link_url and not is_loopback(urlsplit(url).hostname or ""):
            raise BadSetting(
                "GREENROOM_LAUNCHER is pipecat-cloud, and GREENROOM_LINK_URL is not set: agents "
                "there have to know where to dial, as wss://greenroom.example/link."
            )
        longest_s = longest_life_s(limits)
        if longest_s > max_session_s:
            raise BadSetting(
                f"GREENROOM_PIPECAT_CLOUD_MAX_SESSION_S is {max_session_s:g}, and a session may "
                f"last {longest_s:g} s. Raise it, and maxSessionDuration of the deployment with "
                "it, or lower GREENROOM_MAX_DURATION_S and its ceiling."
            )
        return cls(public_key, private_key, agent, url, max_session_s)
