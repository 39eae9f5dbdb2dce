"""Meeting tokens of our own making: JWTs with Daily's short claims, signed with the API key.

Self-signing saves a call at each join, and keeps what Pipecat's helper forces out of it: an owner
for everybody, and no ejection at expiry. The claims' names:
https://docs.daily.co/docs/guides/privacy-and-security/self-signing-tokens.
"""

from __future__ import annotations

import hashlib

import jwt

from greenroom.ports.rooms import Guest, Party

# A clock of ours that runs ahead must not make a token that is good only later.
SLACK_S = 60


def user_id_of(name: str, party: Party) -> str:
    """What the token says of who somebody is in this room: at most Daily's 36 characters.

    The room's name belongs to one user, so it need not say which; nobody has such an id who was
    not given a token by us.
    """
    return f"{party.value}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def party_of(name: str, user_id: str) -> Party | None:
    """Whom an id stands for in this room; None: nobody of ours."""
    return next((party for party in Party if user_id_of(name, party) == user_id), None)


def signed(api_key: str, domain_id: str, name: str, guest: Guest, now: float) -> str:
    """A token that lets this guest into this room, and has them ejected when it expires."""
    claims = {
        "d": domain_id,
        "r": name,
        "iat": int(now) - SLACK_S,
        "exp": int(guest.until),
        "ejt": True,  # eject_at_token_exp
        "ud": user_id_of(name, guest.party),
        "u": guest.name,
        "o": False,  # nobody is an owner: neither may put the other out, or record
        "ss": False,  # enable_screenshare
        "vo": True,  # start_video_off
    }
    return jwt.encode(claims, api_key, algorithm="HS256")
