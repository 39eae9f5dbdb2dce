"""What OpenAI's chat completions accept, and how a refusal looks, by its API reference (2026)."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi.responses import JSONResponse

MAX_TOOLS = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ROLES = {"developer", "system", "user", "assistant", "tool"}
# Every parameter of `POST /v1/chat/completions`; another one is refused there, too.
_PARAMETERS = {
    *("messages", "model", "audio", "frequency_penalty", "logit_bias", "logprobs"),
    *("max_completion_tokens", "max_tokens", "metadata", "modalities", "n"),
    *("parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key"),
    *("prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier"),
    *("seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature"),
    *("tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"),
}
_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_TYPES = {401: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_SENTENCES = {
    401: "Incorrect API key provided.",
    429: "Rate limit reached for requests.",
    500: "The server had an error while processing your request.",
    503: "The engine is currently overloaded, please try again later.",
}


class Refused(Exception):
    """A refusal in OpenAI's form."""

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        message = message or _SENTENCES.get(status, "The request failed.")
        super().__init__(message)
        usual = "invalid_request_error" if status < 500 else "server_error"
        error = {
            "message": message,
            "type": _TYPES.get(status, usual),
            "param": param,
            "code": code or _CODES.get(status),
        }
        self.answer = JSONResponse({"error": error}, status, headers)


def checked(asked: Any) -> dict[str, Any]:
    """The body of a request for a completion, if OpenAI would take it.

    Raises:
        Refused: It would not.
    """
    if not isinstance(asked, dict):
        raise Refused(400, "We could not parse the JSON body of your request.")
    for name in asked:
        if name not in _PARAMETERS:
            raise Refused(
                400, f"Unrecognized request argument supplied: {name}", param=name,
                code="unknown_parameter",
            )  # fmt: skip
    if not isinstance(asked.get("model"), str) or not asked["model"]:
        raise Refused(400, "you must provide a model parameter")
    for name, (least, most) in _RANGES.items():
        value = asked.get(name)
        if value is not None and not (isinstance(value, int | float) and least <= value <= most):
            raise Refused(400, f"Invalid '{name}': expected {least} to {most}.", param=name)
    if asked.get("stream_options") is not None and not asked.get("stream"):
        raise Refused(
            400, "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        )
    _check_tools(asked)
    _check_messages(asked.get("messages"))
    return asked


def last_message(asked: dict[str, Any]) -> tuple[str, str]:
    """Whose the last message is, and what it says."""
    last = asked["messages"][-1]
    return last["role"], text_of(last.get("content"))


def text_of(content: Any) -> str:
    """The words of a message's content, which may be in parts."""
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def functions_of(asked: dict[str, Any]) -> list[str]:
    """The names of what the model may call."""
    if asked.get("tool_choice") == "none":
        return []
    return [tool["function"]["name"] for tool in asked.get("tools") or []]


def _check_tools(asked: dict[str, Any]) -> None:
    tools = asked.get("tools")
    if tools is None:
        if asked.get("tool_choice") is not None:
            raise Refused(400, "'tool_choice' is only allowed when 'tools' are specified.")
        return
    if not isinstance(tools, list) or not 0 < len(tools) <= MAX_TOOLS:
        raise Refused(400, f"Invalid 'tools': expected 1 to {MAX_TOOLS} of them.", param="tools")
    names = set()
    for index, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        at = f"tools[{index}]"
        if not isinstance(function, dict) or tool.get("type") != "function":
            raise Refused(400, f"Missing required parameter: '{at}.function'.", param=at)
        name = function.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refused(400, f"Invalid '{at}.function.name'.", param=f"{at}.function.name")
        if name in names:
            raise Refused(400, f"Tool names must be unique: {name}.", param=at)
        names.add(name)
        parameters = function.get("parameters", {"type": "object"})
        if not isinstance(parameters, dict) or parameters.get("type") != "object":
            raise Refused(
                400,
                f"Invalid schema for function '{name}': schema must be a JSON Schema of "
                "'type: \"object\"'.",
                param=f"{at}.function.parameters",
                code="invalid_function_parameters",
            )


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "Invalid 'messages': empty array.", param="messages")
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            raise Refused(400, f"Invalid value: '{role}'.", param=f"{at}.role")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                raise Refused(
                    400,
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                    param=f"{at}.role",
                )
            waiting.discard(message["tool_call_id"])
        elif waiting:
            raise Refused(
                400,
                "An assistant message with 'tool_calls' must be followed by tool messages "
                f"responding to each 'tool_call_id'. Missing: {', '.join(sorted(waiting))}",
                param=at,
            )
        calls = message.get("tool_calls") if role == "assistant" else None
        if calls:
            waiting = {_checked_call(call, at) for call in calls}
        elif not isinstance(message.get("content"), str | list):
            raise Refused(400, f"Invalid value for 'content': {at}.", param=f"{at}.content")
    if waiting:
        raise Refused(400, "The last 'tool_calls' have no tool messages.", param="messages")


def _checked_call(call: Any, at: str) -> str:
    try:
        json.loads(call["function"]["arguments"])
        return str(call["id"])
    except (KeyError, TypeError, ValueError):
        raise Refused(400, f"Invalid '{at}.tool_calls'.", param=f"{at}.tool_calls") from None
