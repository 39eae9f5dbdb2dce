"""Reads a price list from TOML: dated, in US dollars, refused by name if anything is amiss."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.functional_validators import AfterValidator, BeforeValidator

from greenroom.errors import BadSetting
from greenroom.session.prices import (
    HOUR_S,
    MICRO,
    TIMED_COMPONENTS,
    PriceList,
    Prices,
    Rate,
    item,
)

EXAMPLE = Path(__file__).with_name("prices.toml")
# Nothing that a voice session uses costs more for an hour, a minute or a thousand; cents, perhaps?
MOST_USD = 1_000


def _number(value: Any) -> Any:
    """TOML has numbers; a text or a yes is a slip."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("a number is needed here, without quotes")
    return value


def _or(price: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if price is None else price


def _own(name: str) -> str:
    if name in TIMED_COMPONENTS:
        raise ValueError(f"Greenroom meters it itself: write its price into [{name}]")
    return name


_Usd = Annotated[Decimal, Field(ge=0, le=MOST_USD, allow_inf_nan=False), BeforeValidator(_number)]
_Amount = Annotated[
    Decimal, Field(ge=0, le=1_000_000_000, allow_inf_nan=False), BeforeValidator(_number)
]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
_OwnName = Annotated[_Name, AfterValidator(_own)]
_FREE = Decimal(0)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Timed(_Table):
    usd_per_hour: _Usd
    usd_per_hour_paused: _Usd | None = None

    def rates(self, component: str) -> dict[str, Rate]:
        paused = self.usd_per_hour if self.usd_per_hour_paused is None else self.usd_per_hour_paused
        return {
            item(component, "seconds"): Rate(self.usd_per_hour, HOUR_S),
            item(component, "paused_seconds"): Rate(paused, HOUR_S),
        }


class _Stt(_Table):
    usd_per_minute: _Usd

    def rates(self) -> dict[str, Rate]:
        return {"stt.audio_seconds": Rate(self.usd_per_minute, 60)}


class _Llm(_Table):
    usd_per_call: _Usd = _FREE
    usd_per_1k_input_tokens: _Usd = _FREE
    usd_per_1k_cached_tokens: _Usd | None = None
    usd_per_1k_output_tokens: _Usd = _FREE
    usd_per_1k_audio_input_tokens: _Usd | None = None
    usd_per_1k_audio_cached_tokens: _Usd | None = None
    usd_per_1k_audio_output_tokens: _Usd | None = None

    def rates(self) -> dict[str, Rate]:
        said = self.usd_per_1k_input_tokens
        cached = _or(self.usd_per_1k_cached_tokens, said)
        heard = _or(self.usd_per_1k_audio_input_tokens, said)
        # What is left out costs as much as what is like it, and never nothing by mistake.
        heard_cached = _or(
            self.usd_per_1k_audio_cached_tokens,
            cached if self.usd_per_1k_audio_input_tokens is None else heard,
        )
        wrote = self.usd_per_1k_output_tokens
        spoke = _or(self.usd_per_1k_audio_output_tokens, wrote)
        return {
            "llm.calls": Rate(self.usd_per_call, 1),
            "llm.prompt_tokens": Rate(said, 1000),
            "llm.cached_tokens": Rate(cached, 1000),
            "llm.completion_tokens": Rate(wrote, 1000),
            "llm.audio_prompt_tokens": Rate(heard, 1000),
            "llm.audio_cached_tokens": Rate(heard_cached, 1000),
            "llm.audio_completion_tokens": Rate(spoke, 1000),
        }


class _Tts(_Table):
    usd_per_1k_characters: _Usd

    def rates(self) -> dict[str, Rate]:
        return {"tts.characters": Rate(self.usd_per_1k_characters, 1000)}


class _Typical(_Table):
    stt_minutes_per_hour: _Amount = Decimal(60)
    llm_calls_per_hour: _Amount = Decimal(60)
    llm_input_tokens_per_hour: _Amount = _FREE
    llm_output_tokens_per_hour: _Amount = _FREE
    tts_characters_per_hour: _Amount = Decimal(20_000)

    def quantities(self) -> dict[str, Decimal]:
        return {
            "stt.audio_seconds": self.stt_minutes_per_hour * 60,
            "llm.calls": self.llm_calls_per_hour,
            "llm.prompt_tokens": self.llm_input_tokens_per_hour,
            "llm.completion_tokens": self.llm_output_tokens_per_hour,
            "tts.characters": self.tts_characters_per_hour,
        }


class _Component(_Table):
    unit: _Name
    usd: _Usd
    per: Annotated[int, Field(gt=0, le=1_000_000_000)] = 1
    typical_per_hour: _Amount = _FREE


class _Priced(_Table):
    """The tables that a list has for everybody, and for an assistant of its own."""

    container: _Timed | None = None
    room: _Timed | None = None
    stt: _Stt | None = None
    llm: _Llm | None = None
    tts: _Tts | None = None
    typical: _Typical | None = None
    components: dict[_OwnName, _Component] = Field(default_factory=dict)

    def prices(self, general: Prices) -> Prices:
        """These, and for what is left out the general ones."""
        own = {
            **(self.container.rates("container") if self.container else {}),
            **(self.room.rates("room") if self.room else {}),
        }
        for table in (self.stt, self.llm, self.tts):
            own |= table.rates() if table else {}
        typical = dict(self.typical.quantities()) if self.typical else {}
        for name, component in self.components.items():
            own[item(name, component.unit)] = Rate(component.usd, component.per)
            typical[item(name, component.unit)] = component.typical_per_hour
        amounts = {name: int(amount * MICRO) for name, amount in typical.items()}
        return Prices({**general.rates, **own}, {**general.typical, **amounts})


class _List(_Priced):
    as_of: date
    assistants: dict[str, _Priced] = Field(default_factory=dict)


def read_price_list(path: Path | None) -> PriceList:
    """The price list in a file, or the example that comes with Greenroom.

    Raises:
        BadSetting: The file cannot be read, or says something that no price list can say; the
            message has the file, the key, and what to do.
    """
    where = path or EXAMPLE
    try:
        raw = tomllib.loads(where.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise BadSetting(
            f"GREENROOM_PRICES: the price list {where} cannot be read ({reason})."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"GREENROOM_PRICES: {where} is no TOML: {error}.") from error
    try:
        read = _List.model_validate(raw)
    except ValidationError as error:
        raise BadSetting(f"GREENROOM_PRICES: {where}: {_explained(error)}") from error
    return _price_list(read)


def _price_list(read: _List) -> PriceList:
    # Many have neither container nor room to pay for, and say nothing of them: they are free.
    free = _Timed(usd_per_hour=_FREE)
    nothing = Prices(
        {**free.rates("container"), **free.rates("room")},
        {name: int(amount * MICRO) for name, amount in _Typical().quantities().items()},
    )
    prices = read.prices(nothing)
    assistants = {name: table.prices(prices) for name, table in read.assistants.items()}
    return PriceList(read.as_of, prices, assistants)


def _explained(error: ValidationError) -> str:
    """One mistake: where it stands, what it is, and what to do."""
    mistakes = error.errors()
    # A key that does not exist first: what is missing is often only written wrongly.
    first = next((one for one in mistakes if one["type"] == "extra_forbidden"), mistakes[0])
    path = [str(part) for part in first["loc"] if part != "[key]"]
    return f"“{'.'.join(path)}” {_mistake(first['type'], path, first['input'], first['msg'])}"


def _mistake(kind: str, path: list[str], given: Any, message: str) -> str:
    match kind:
        case "extra_forbidden":
            near = difflib.get_close_matches(path[-1], list(_known_keys(path[:-1])), n=1)
            meant = f"Did you mean “{near[0]}”?" if near else "Remove it, or see the example list."
            return f"is no key of a price list. {meant}"
        case "missing":
            return "is missing: write it in."
        case "greater_than_equal" | "less_than_equal" | "finite_number" if "usd" in path[-1]:
            return f"is {given}: it takes US dollars, not cents, from 0 to {MOST_USD:,}."
        case _ if kind.startswith("date"):
            return "takes a day, such as 2026-11-01."
        case _:
            return f"cannot be taken: {message.removeprefix('Value error, ')}."


def _known_keys(path: list[str]) -> Iterator[str]:
    """The keys that may stand in the table at this path."""
    model: Any = _List
    for part in path:
        model = _table_in(model, part)
    yield from getattr(model, "model_fields", {})


def _table_in(model: Any, part: str) -> Any:
    """The kind of table that stands under a key, or under any name of a table of tables."""
    if isinstance(model, Mapping):
        return model["any"]
    field = getattr(model, "model_fields", {}).get(part)
    if field is None:
        return None
    kinds = [kind for kind in get_args(field.annotation) if isinstance(kind, type)]
    table = next((kind for kind in kinds if issubclass(kind, _Table)), None)
    return {"any": table} if part in ("components", "assistants") else table
