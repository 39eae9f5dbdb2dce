"""The house's feature flags, asked through OpenFeature: bounded in time, whoever answers."""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails
from openfeature.provider import FeatureProvider

from greenroom.assistants.flags import DOMAIN, OUR_PROVIDER
from greenroom.errors import BadSetting
from greenroom.service.policies import Outside, outside

T = TypeVar("T")

# A flag system may block whoever asks it; so many may wait for it, and whoever comes then goes by
# what holds without an answer.
_ASKING_AT_ONCE = 8


class Flags:
    """Asks for flags.

    Args:
        provider: The flag system of the house; None: our own, which knows the roll-out of records
            and no other flag.

    Attributes:
        asks_others: Whether somebody else's flag system answers.
    """

    def __init__(self, provider: FeatureProvider | None = None) -> None:
        self.asks_others = provider is not None
        self._threads = ThreadPoolExecutor(_ASKING_AT_ONCE, "flags") if provider else None
        # Ours is ready at once; another may have to reach its server first, and until then what
        # we give as default is what OpenFeature answers.
        if provider is None:
            api.set_provider_and_wait(OUR_PROVIDER, DOMAIN)
        else:
            api.set_provider(provider, DOMAIN)
        self._client: OpenFeatureClient = api.get_client(DOMAIN)

    async def text(
        self, flag: str, default: str, context: EvaluationContext
    ) -> FlagEvaluationDetails[str]:
        """What a flag of texts says of somebody. Raises `Unavailable` if nobody answers in time."""
        return await self._asked(lambda: self._client.get_string_details(flag, default, context))

    async def is_on(self, flag: str, context: EvaluationContext) -> FlagEvaluationDetails[bool]:
        """Whether a flag is on for somebody; off, with the error's code, if that is not known.

        Raises:
            Unavailable: Nobody answers in time.
        """
        return await self._asked(lambda: self._client.get_boolean_details(flag, False, context))

    async def _asked(self, ask: Callable[[], T]) -> T:
        if self._threads is None:
            return ask()
        loop, threads = asyncio.get_running_loop(), self._threads
        return await outside(Outside.FLAGS, lambda: loop.run_in_executor(threads, ask))

    def close(self) -> None:
        """Let go of whoever waits for a flag system. Does not wait."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def flags_by(name: str | None) -> FeatureProvider | None:
    """The OpenFeature provider that ``package.module:name`` makes when it is called.

    Raises:
        BadSetting: There is none.
    """
    if not name:
        return None
    try:
        made = pkgutil.resolve_name(name)()
    except Exception as error:
        raise BadSetting(
            f"GREENROOM_FLAGS is {name}, which makes no OpenFeature provider "
            f"({type(error).__name__}). It names what is called without arguments and returns one: "
            "package.module:function"
        ) from error
    if not callable(getattr(made, "resolve_string_details", None)):
        raise BadSetting(f"GREENROOM_FLAGS is {name}, which makes no OpenFeature provider.")
    provider: FeatureProvider = made
    return provider
