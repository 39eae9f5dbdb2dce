"""The MCP servers that the operator has configured, in a file: a record only names them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from greenroom.bot.tools.functions import BadTool
from greenroom.wire.process import MCP_SERVERS

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ServerConfig(BaseModel):
    """How one server is reached: a command that is started, or an address.

    ``env`` and ``headers`` may hold ``${NAME}``, which is taken from the bot's environment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str | None = Field(default=None, min_length=1)
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")
    headers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_of_both(self) -> ServerConfig:
        if (self.command is None) == (self.url is None):
            raise ValueError("has either a command or a url")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    servers: dict[str, ServerConfig] = Field(alias="mcpServers")


def server_called(name: str) -> ServerConfig:
    """The server of this name in the file that the environment names (``GREENROOM_MCP_SERVERS``).

    Raises:
        BadTool: There is no such file, or it cannot be read, or has no such server.
    """
    named = os.environ.get(MCP_SERVERS)
    if not named:
        raise BadTool(f"no MCP servers are configured; see {MCP_SERVERS}")
    servers = read(Path(named))
    if name not in servers:
        raise BadTool(f"no MCP server “{name}” is configured")
    return servers[name]


def read(path: Path) -> dict[str, ServerConfig]:
    """The servers in a YAML or JSON file: ``{mcpServers: {name: {command, args, env} or {url}}}``.

    Raises:
        BadTool: It cannot be read. Its contents are not repeated: they may hold secrets.
    """
    try:
        data: Any = yaml.safe_load(path.read_text())
        return _File.model_validate(data).servers
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadTool(f"{path.name} cannot be read: {type(error).__name__}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadTool(f"{path.name}: {where}: {first['msg']}") from None


def filled(values: dict[str, str]) -> dict[str, str]:
    """The values with what they name of the environment in its place.

    Raises:
        BadTool: The environment does not have it.
    """

    def value_of(match: re.Match[str]) -> str:
        if (value := os.environ.get(match[1])) is None:
            raise BadTool(f"the environment has no {match[1]}")
        return value

    return {name: _VARIABLE.sub(value_of, value) for name, value in values.items()}
