"""A stand-in for OpenAI's API: what language models are asked by, streamed, strict, with faults."""

from greenroom.testing.openai.realtime import Ears, Realtime, realtime_address
from greenroom.testing.openai.replies import Calling, Fault, Reply, Rule
from greenroom.testing.openai.serve import served
from greenroom.testing.openai.stand_in import Asked, OpenAI

__all__ = [
    "Asked",
    "Calling",
    "Ears",
    "Fault",
    "OpenAI",
    "Realtime",
    "Reply",
    "Rule",
    "realtime_address",
    "served",
]
