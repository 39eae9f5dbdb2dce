"""What an agent that runs elsewhere is handed over in ``runner_args.body``, under one key.

Beside it stands whatever whoever started the session wants the agent to know. The secret is the
launch's own; it ends with its session.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, ValidationError

from greenroom.wire.base import WireModel
from greenroom.wire.link import SessionSpec

KEY = "greenroom"


class Handover(WireModel):
    """How to reach Greenroom, as whom, and in which session.

    Attributes:
        link_url: ``wss://…/link``, to be dialled by whoever can keep a connection.
        webhook_url: ``https://…/webhook``, for whoever can only post.
        secret: The launch's own.
        session: The session, but for its ``body``, which stands beside this.
    """

    link_url: str
    webhook_url: str
    secret: str = Field(repr=False)
    session: SessionSpec


def body_for(session: SessionSpec, link_url: str, secret: str) -> dict[str, Any]:
    """The whole body that an agent elsewhere is started with."""
    told = Handover(
        link_url=link_url,
        webhook_url=webhook_url_of(link_url),
        secret=secret,
        session=session.model_copy(update={"body": {}}),
    )
    return {**session.body, KEY: told.model_dump(mode="json", by_alias=True)}


def handed_over(body: Any) -> Handover | None:
    """What Greenroom handed over in this body; None: it did not start this agent.

    Raises:
        ValueError: It is meant to be that, and cannot be read.
    """
    if not isinstance(body, dict) or KEY not in body:
        return None
    try:
        told = Handover.model_validate(body[KEY])
    except ValidationError:
        # Not from the error: it repeats the values, and one of them is a secret.
        raise ValueError(f"“{KEY}” in the body is not what Greenroom hands over") from None
    rest = {name: value for name, value in body.items() if name != KEY}
    return told.model_copy(update={"session": told.session.model_copy(update={"body": rest})})


def webhook_url_of(link_url: str) -> str:
    """Where the same server takes reports by webhook."""
    parts = urlsplit(link_url)
    path = parts.path.removesuffix("/link") + "/webhook"
    return urlunsplit((parts.scheme.replace("ws", "http", 1), parts.netloc, path, "", ""))
