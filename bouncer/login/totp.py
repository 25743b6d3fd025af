"""One-time passwords of an authenticator app: RFC 6238, with the app's usual 6 digits and 30 s.

Off until a person is enrolled. The secret is the one thing on the roster that is not public. A code
is named by secret and time step, so that it can be burned at first use, at every agent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from bouncer.mesh.roster import Credential

DIGITS = 6
STEP_S = 30
SECRET_OCTETS = 20  # RFC 4226 section 4, R6: 160 bits are recommended
SLACK_STEPS = 1  # RFC 6238 section 5.2: at most one time step for the network's delay
FORM = re.compile(r"(?<!\d)\d{6}(?!\d)", re.ASCII)


def new_credential() -> Credential:
    """A fresh secret, in the base32 that apps read."""
    return Credential("totp", base64.b32encode(secrets.token_bytes(SECRET_OCTETS)).decode())


def uri(credential: Credential, handle: str, issuer: str) -> str:
    """What an app takes as text or as a QR code, shown once."""
    label = quote(f"{issuer}:{handle}")
    words = {"secret": credential.public, "issuer": issuer, "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{label}?{urlencode(words)}"


def hotp(secret: bytes, counter: int, digits: int = DIGITS) -> str:
    """The code of one counter: RFC 4226 section 5.3."""
    digest = hmac.digest(secret, counter.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching(code: str, keys: Sequence[Credential], now_s: float) -> str | None:
    """The name (64 hex digits) of the code that `code` is now, by which it is burned, or None."""
    found = None
    step = int(now_s // STEP_S)
    for key in keys:
        if key.kind != "totp" or (secret := _secret(key)) is None:
            continue
        for counter in range(max(0, step - SLACK_STEPS), step + SLACK_STEPS + 1):
            if hmac.compare_digest(hotp(secret, counter), code):
                found = hashlib.sha256(secret + counter.to_bytes(8, "big")).hexdigest()
    return found


def _secret(key: Credential) -> bytes | None:
    try:
        return base64.b32decode(key.public)
    except (binascii.Error, ValueError):
        return None
