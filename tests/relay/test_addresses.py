"""Addresses and tokens come from the relay's secret, and from nothing else."""

from __future__ import annotations

import pytest

from greenroom.errors import BadSetting, NotFound, Unauthorized
from greenroom.relay.addresses import Addresses

SECRET = "r" * 32
HERE = Addresses(SECRET)


def test_an_address_is_the_same_for_ever_and_another_with_another_secret() -> None:
    assert HERE.address_of("ada") == Addresses(SECRET).address_of("ada")
    assert HERE.address_of("ada").startswith("ada-")
    assert HERE.address_of("ada") != Addresses("q" * 32).address_of("ada")
    assert HERE.token_of("ada") != Addresses("q" * 32).token_of("ada")
    assert HERE.address_of("ada")[-20:] not in HERE.token_of("ada")


@pytest.mark.parametrize("name", ["ada", "a", "ada-lovelace", "a-1", "x" * 32])
def test_a_name_is_found_by_its_address_and_by_its_token(name: str) -> None:
    assert HERE.name_at(HERE.address_of(name)) == name
    assert HERE.name_for(HERE.token_of(name)) == name


@pytest.mark.parametrize("name", ["", "Ada", "-ada", "ada-", "a_b", "x" * 33, "ada\n", "a/b", "ä"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadSetting):
        HERE.address_of(name)


@pytest.mark.parametrize(
    "guess", ["", "ada", "ada-", f"ada-{'0' * 20}", "ada-é", "-", "../ada", HERE.token_of("ada")]
)
def test_no_other_address_exists(guess: str) -> None:
    with pytest.raises(NotFound):
        HERE.name_at(guess)


@pytest.mark.parametrize(
    "guess",
    ["", "grl", f"grl_ada_{'0' * 40}", "grl_ada_é", "a_b_c", HERE.token_of("ada") + "_x", "grl__"],
)
def test_no_other_token_opens(guess: str) -> None:
    with pytest.raises(Unauthorized):
        HERE.name_for(guess)
    with pytest.raises(Unauthorized):
        HERE.name_for(HERE.token_of("bob").replace("bob", "ada"))


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(BadSetting, match="32 characters"):
        Addresses("hunter2")
