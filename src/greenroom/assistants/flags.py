"""The roll-out as an OpenFeature provider: the one that decides where nobody brings another.

Whoever has a flag system of their own brings its OpenFeature provider instead; it is asked for the
string flag `FLAG` with the user as targeting key, and sees of the rest what `context_of` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from greenroom.assistants import rollout as r
from greenroom.wire.assistants import Rollout

FLAG = "voice-provider"
DOMAIN = "greenroom"


def context_of(
    rollout: Rollout, assistant: str, user_id: str, tenant: str, version: int | None
) -> EvaluationContext:
    """What a flag system is told of somebody. The user's id is the targeting key."""
    return EvaluationContext(
        targeting_key=user_id,
        attributes={
            "assistant": assistant,
            "tenant": tenant,
            "version": version or 0,
            "rollout": rollout.model_dump(mode="json", by_alias=True, exclude_none=True),
        },
    )


class RolloutProvider(AbstractProvider):
    """Decides by the roll-out of the assistant's record; keeps nothing."""

    def get_metadata(self) -> Metadata:
        """See OpenFeature."""
        return Metadata("greenroom-rollout")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """`FLAG`: which side; the metadata ``why`` says by what of the record."""
        if flag_key != FLAG or evaluation_context is None:
            return _unknown(default_value)
        told: Mapping[str, Any] = evaluation_context.attributes
        decided = r.decide(
            Rollout.model_validate(told["rollout"]),
            told["assistant"],
            evaluation_context.targeting_key or "",
            told["tenant"],
        )
        return FlagResolutionDetails(
            value=decided.side.value,
            variant=decided.side.value,
            reason=Reason.TARGETING_MATCH if decided.percentage is None else Reason.SPLIT,
            flag_metadata={"why": decided.reason.value},
        )

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """There is no such flag."""
        return _unknown(default_value)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """There is no such flag."""
        return _unknown(default_value)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """There is no such flag."""
        return _unknown(default_value)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Any]:
        """There is no such flag."""
        return _unknown(default_value)


def _unknown(default_value: Any) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(
        value=default_value, reason=Reason.ERROR, error_code=ErrorCode.FLAG_NOT_FOUND
    )


OUR_PROVIDER = RolloutProvider()
