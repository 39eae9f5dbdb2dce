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


def user_id_of(name: str, party: Party, person: str | None = None) -> str:
    """What the token says of who somebody is in this room: at most Daily's 36 characters.

    A room of two belongs to one user, so its name says who that is. Of several it says in its first
    half which, and its second half fits only that and this room. Nobody has such an id who was not
    given a token by us.
    """
    if person is None:
        return f"{party.value}-{_digest(name)[:24]}"
    head = _digest(name, person)[:12]
    return f"{party.value}-{head}{_digest(name, 'person', head)[:12]}"


def party_of(name: str, user_id: str) -> Party | None:
    """Whom an id stands for in this room; None: nobody of ours."""
    found = next((party for party in Party if user_id_of(name, party) == user_id), None)
    if found is not None:
        return found
    party, _, rest = user_id.partition("-")
    fits = party == Party.USER and rest[12:] == _digest(name, "person", rest[:12])[:12]
    return Party.USER if fits else None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def signed(api_key: str, domain_id: str, name: str, guest: Guest, now: float) -> str:
    """A token that lets this guest into this room, and has them ejected when it expires."""
    claims = {
        "d": domain_id,
        "r": name,
        "iat": int(now) - SLACK_S,
        "exp": int(guest.until),
        "ejt": True,  # eject_at_token_exp
        "ud": user_id_of(name, guest.party, guest.person),
        "u": guest.name,
        "o": False,  # nobody is an owner: neither may put the other out, or record
        "ss": False,  # enable_screenshare
        "vo": not guest.video,  # start_video_off
        # What they may send at all, whatever their program asks for: canSend, audio and video.
        "p": {"cs": "v,a" if guest.video else "a"},
    }
    return jwt.encode(claims, api_key, algorithm="HS256")
