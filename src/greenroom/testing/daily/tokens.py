"""Meeting tokens: JWTs with short claims, signed (HS256) with an API key, by Daily or by its owner.

The names of the claims: https://docs.daily.co/docs/guides/privacy-and-security/self-signing-tokens.
"""

from __future__ import annotations

from typing import Any

import jwt
from jwt.types import Options

from greenroom.testing.daily.refusals import invalid
from greenroom.testing.daily.shapes import TokenProperties

CLAIMS = {
    "nbf": "nbf",
    "exp": "exp",
    "room_name": "r",
    "user_id": "ud",
    "user_name": "u",
    "is_owner": "o",
    "knocking": "k",
    "close_tab_on_exit": "ctoe",
    "redirect_on_meeting_exit": "rome",
    "start_cloud_recording": "sr",
    "start_cloud_recording_opts": "sro",
    "auto_start_transcription": "ast",
    "enable_recording": "er",
    "enable_screenshare": "ss",
    "start_video_off": "vo",
    "start_audio_off": "ao",
    "eject_at_token_exp": "ejt",
    "eject_after_elapsed": "eje",
    "lang": "uil",
    "enable_recording_ui": "erui",
    "permissions": "p",
}
_PROPERTIES = {claim: name for name, claim in CLAIMS.items()}
_ALWAYS = ("iat", "d")
# Times go by the clock that was passed in.
_NO_TIMES: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


def signed(properties: TokenProperties, *, key: str, domain_id: str, now: float) -> str:
    """A token with these properties, as ``POST /meeting-tokens`` makes it."""
    given = properties.model_dump(exclude_none=True)
    claims = {CLAIMS[name]: value for name, value in given.items() if name in CLAIMS}
    return jwt.encode({**claims, "iat": int(now), "d": domain_id}, key, algorithm="HS256")


def properties_of(token: str, *, keys: set[str], domain_id: str, now: float) -> dict[str, Any]:
    """What a token says, by the properties' long names.

    Args:
        token: As it was shown.
        keys: The API keys that are good now: a token dies with the key that signed it.
        domain_id: Ours.
        now: Seconds since the epoch.

    Raises:
        Refusal: Nobody of ours has signed it, it is another domain's, it is not good yet or no
            more, or it has a claim that there is not.
    """
    claims = _claims(token, keys)
    missing = [name for name in _ALWAYS if name not in claims]
    if missing:
        raise invalid(f"invalid token: claim '{missing[0]}' is missing")
    if claims["d"] != domain_id:
        raise invalid("invalid token: it is another domain's")
    if claims.get("exp", now + 1) <= now:
        raise invalid("invalid token: it has expired")
    if claims.get("nbf", now) > now:
        raise invalid("invalid token: it is not valid yet")
    unknown = sorted(claims.keys() - _PROPERTIES.keys() - set(_ALWAYS))
    if unknown:
        raise invalid(f"invalid token: unknown claim '{unknown[0]}'")
    return {_PROPERTIES[claim]: value for claim, value in claims.items() if claim in _PROPERTIES}


def _claims(token: str, keys: set[str]) -> dict[str, Any]:
    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["HS256"],
                options=_NO_TIMES,  # times go by our own clock
            )
        except jwt.InvalidTokenError:
            continue
        return claims
    raise invalid("invalid token")
