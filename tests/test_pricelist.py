"""A price list is read exactly, or refused with its file, its key, and what to do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from greenroom.errors import BadSetting
from greenroom.pricelist import EXAMPLE, read_price_list
from greenroom.session.prices import MICRO, Rate, price

DATED = "as_of = 2026-11-01\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my-prices.toml"


@pytest.mark.parametrize(
    ("text", "key", "what_to_do"),
    [
        ("[tts]\nusd_per_1k_charaters = 1", "tts.usd_per_1k_charaters", "usd_per_1k_characters”?"),
        ("[contaner]\nusd_per_hour = 1", "contaner", "Did you mean “container”?"),
        ("[assistants.bob.stt]\nusd_per_minut = 1", "assistants.bob.stt.usd_per_minut", "minute”?"),
        ("[components.fax]\nusdd = 1\nunit = 'pages'", "components.fax.usdd", "Did you mean “usd”"),
        ("[weather]\nsun = 1", "weather", "Remove it"),
        ("[container]\nusd_per_hour = -0.1", "container.usd_per_hour", "not cents"),
        ("[container]\nusd_per_hour = nan", "container.usd_per_hour", "from 0 to 1,000"),
        ("[container]\nusd_per_hour = inf", "container.usd_per_hour", "from 0 to 1,000"),
        ("[container]\nusd_per_hour = 100_000", "container.usd_per_hour", "from 0 to 1,000"),
        ("[container]\nusd_per_hour = '0.1'", "container.usd_per_hour", "without quotes"),
        ("[container]\nusd_per_hour = true", "container.usd_per_hour", "number"),
        ("[room]\nusd_per_hour_paused = 1", "room.usd_per_hour", "write it in"),
        ("[typical]\nllm_calls_per_hour = -1", "typical.llm_calls_per_hour", "equal to 0"),
        ("[components.room]\nusd = 1\nunit = 'hours'", "components.room", "[room]"),
        ("[components.fax]\nusd = 1\nunit = 'pages'\nper = 0", "components.fax.per", "than 0"),
        ("tts = 0.015", "tts", "dictionary"),
    ],
)
def test_a_typo_is_refused_by_name(path: Path, text: str, key: str, what_to_do: str) -> None:
    path.write_text(DATED + text)
    with pytest.raises(BadSetting) as caught:
        read_price_list(path)
    assert str(path) in caught.value.message
    assert "GREENROOM_PRICES" in caught.value.message
    assert f"“{key}”" in caught.value.message
    assert what_to_do in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tts]\nusd_per_1k_characters = 1", "“as_of” is missing"),
        ("as_of = 'yesterday'", "a day, such as 2026-11-01"),
        ("as_of = 2026-11-01\n[tts\n", "line 2"),
    ],
)
def test_what_is_no_dated_list_is_refused(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(BadSetting, match=message):
        read_price_list(path)


def test_a_file_that_is_not_there_or_no_text_is_refused(path: Path) -> None:
    with pytest.raises(BadSetting, match=r"my-prices.toml cannot be read \(No such file"):
        read_price_list(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match="no text"):
        read_price_list(path)


def test_the_example_is_dated_and_whole() -> None:
    prices = read_price_list(None)
    assert prices.as_of.isoformat() in EXAMPLE.read_text()
    assert prices.prices.estimate(3600).unpriced == ()
    assert prices.of("anybody") == prices.prices


def test_what_is_left_out_is_free_by_time_and_unpriced_by_use(path: Path) -> None:
    path.write_text(DATED)
    bill = read_price_list(path).prices.estimate(60)
    assert bill.micro_usd == 0
    assert bill.unpriced == ("llm.calls", "stt.audio_seconds", "tts.characters")


def test_paused_time_costs_the_same_unless_said(path: Path) -> None:
    path.write_text(DATED + "[container]\nusd_per_hour = 0.3\n[room]\nusd_per_hour = 1\n"
                    "usd_per_hour_paused = 0")  # fmt: skip
    rates = read_price_list(path).prices.rates
    assert rates["container.paused_seconds"] == rates["container.seconds"]
    assert rates["room.paused_seconds"] == Rate(Decimal(0), 3600)


@pytest.mark.parametrize(
    ("more", "heard", "cached", "spoken"),
    [
        ("", "0.4", "0.1", "1.6"),
        ("usd_per_1k_audio_input_tokens = 3.2", "3.2", "3.2", "1.6"),
        (
            "usd_per_1k_audio_cached_tokens = 0.04\nusd_per_1k_audio_output_tokens = 6.4",
            *("0.4", "0.04", "6.4"),
        ),
    ],
)
def test_what_a_model_hears_and_says_costs_as_much_as_text_unless_said(
    path: Path, more: str, heard: str, cached: str, spoken: str
) -> None:
    llm = "usd_per_1k_input_tokens = 0.4\nusd_per_1k_cached_tokens = 0.1\n"
    llm += f"usd_per_1k_output_tokens = 1.6\n{more}"
    path.write_text(f"as_of = 2026-11-01\n[llm]\n{llm}\n")
    rates = read_price_list(path).prices.rates
    units = ("audio_prompt_tokens", "audio_cached_tokens", "audio_completion_tokens")
    assert [str(rates[f"llm.{unit}"].usd) for unit in units] == [heard, cached, spoken]


def test_an_assistant_may_have_prices_of_its_own(path: Path) -> None:
    path.write_text(
        DATED
        + """
        [stt]
        usd_per_minute = 0.006
        [tts]
        usd_per_1k_characters = 0.015
        [components.telephony]
        unit = "minutes"
        usd = 0.0085
        [assistants.grand.tts]
        usd_per_1k_characters = 0.3
        [assistants.grand.components.avatar]
        unit = "minutes"
        usd = 1
        per = 10
        """
    )
    prices = read_price_list(path)
    used = {
        "stt.audio_seconds": 60 * MICRO,
        "tts.characters": 1000 * MICRO,
        "telephony.minutes": MICRO,
        "avatar.minutes": MICRO,
    }
    assert price(used, prices.of("plain").rates).components == {
        "stt": 6000, "tts": 15_000, "telephony": 8500, "avatar": 0,
    }  # fmt: skip
    assert price(used, prices.of("grand").rates).components == {
        "stt": 6000, "tts": 300_000, "telephony": 8500, "avatar": 100_000,
    }  # fmt: skip


def test_numbers_are_read_as_they_are_written(path: Path) -> None:
    """A tenth is a tenth, and not the nearest binary fraction."""
    path.write_text(DATED + "[tts]\nusd_per_1k_characters = 0.1")
    assert read_price_list(path).prices.rates["tts.characters"] == Rate(Decimal("0.1"), 1000)


def test_the_built_in_assistants_ears_and_voice_cost_nothing() -> None:
    bill = read_price_list(None).of("cards").estimate(3600)
    assert bill.components == {"container": 100_000, "room": 50_000, "stt": 0, "tts": 0}
