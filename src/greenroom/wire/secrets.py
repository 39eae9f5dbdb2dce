"""What looks like a key in a record, by the name of its field or by how it begins.

Asked by the server, which refuses such a record, and by the bot, which gives no service a key that
a record says.
"""

from __future__ import annotations

import re

# Names without case and punctuation. Those of the second kind are secrets only at the end:
# `maxTokens` is a number, `accessToken` is not.
_ANYWHERE = (
    *("apikey", "password", "passphrase", "privatekey", "secretkey", "accesskey"),
    # Also where one is: a file of the server's is no record's to name.
    *("credential", "tokenprovider"),
)
_AT_THE_END = ("secret", "token", "authorization", "passwd", "bearer")
# Markers that language models have in their vocabulary.
_NO_SECRETS = ("eostoken", "bostoken", "padtoken", "stoptoken", "unktoken", "septoken", "masktoken")
# Keys of the services that people have, and ours.
_BEGINNINGS = re.compile(
    r"^(?:sk[-_]|pk_live_|rk_live_|gr_|whsec_|xox[abp]-|gh[pousr]_|AKIA|AIza|eyJ[\w-]+\.eyJ|"
    r"Bearer\s+\S|-----BEGIN )[^\n]{12,}"
)
_PASSWORD_IN_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name would hold a secret."""
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    if bare.endswith(_NO_SECRETS):
        return False
    return any(part in bare for part in _ANYWHERE) or bare.endswith(_AT_THE_END)


def is_secret_value(text: str) -> bool:
    """Whether a text begins as keys do, or is an address with a password in it."""
    return bool(_BEGINNINGS.match(text) or _PASSWORD_IN_ADDRESS.match(text))
