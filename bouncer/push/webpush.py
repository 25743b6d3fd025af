"""What a push service and a client demand of a notification: encryption (RFC 8291, by RFC 8188) and
the sender's signature, VAPID (RFC 8292). No I/O but the key file; time is an argument.
"""

from __future__ import annotations

import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bouncer.mesh.keys import KeyFault
from storage import keyfile

KEY_FILE = "vapid.key"  # in the data directory
RECORD_OCTETS = 4_096  # RFC 8291 section 4: "an rs parameter greater than the sum of"
MAX_PAYLOAD = 3_993  # octets that every push service takes: RFC 8291 section 4
AUTH_OCTETS = 16  # section 3.2
POINT_OCTETS = 65  # of an uncompressed point of P-256
TOKEN_S = 12 * 3600  # RFC 8292 section 2: "MUST NOT be more than 24 hours from the time"
LAST_RECORD = b"\x02"  # RFC 8188 section 2
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}", re.ASCII)


def decode(text: str) -> bytes:
    """base64url with or without its padding, as clients send it. Raises ValueError."""
    bare = text.rstrip("=")
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))  # binascii.Error is a ValueError


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def are_keys(p256dh: str, auth: str) -> bool:
    """Whether these are a client's point of P-256 and its secret."""
    try:
        _point(decode(p256dh))
        return len(decode(auth)) == AUTH_OCTETS
    except ValueError:
        return False


def _point(data: bytes) -> ec.EllipticCurvePublicKey:
    if len(data) != POINT_OCTETS:
        raise ValueError("not an uncompressed point")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)


def _raw(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def encrypt(
    payload: bytes,
    p256dh: str,
    auth: str,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body of a push message that only this client can read: content coding aes128gcm.

    `key` and `salt` are fresh for each message; tests have those of the RFC's example.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    theirs, ours = decode(p256dh), _raw(key.public_key())
    shared = key.exchange(ec.ECDH(), _point(theirs))
    secret = _hkdf(decode(auth), shared, b"WebPush: info\0" + theirs + ours, 32)
    content_key = _hkdf(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(content_key).encrypt(nonce, payload + LAST_RECORD, None)
    return salt + RECORD_OCTETS.to_bytes(4, "big") + bytes([len(ours)]) + ours + sealed


class VapidKey:
    """The key by which push services know this bouncer. Subscriptions are bound to it."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public = encode(_raw(private.public_key()))

    @classmethod
    def generate(cls) -> VapidKey:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load_or_make(cls, path: Path) -> VapidKey:
        """Read the key file; make it (mode 0600) where it does not exist. Raises KeyFault."""
        try:
            keyfile.make(path, lambda: cls.generate()._pem())
        except OSError as error:
            raise KeyFault(f"{path}: {error.strerror}") from None
        try:
            found = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError):
            found = None
        if not (
            isinstance(found, ec.EllipticCurvePrivateKey) and isinstance(found.curve, ec.SECP256R1)
        ):
            raise KeyFault(f"{path} holds no key of P-256; remove it, and clients subscribe anew")
        return cls(found)

    def _pem(self) -> bytes:
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def authorization(self, endpoint: str, contact: str, now_s: float) -> str:
        """The header's value: "vapid" with a token for the endpoint's origin, sections 2 and 3."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(now_s) + TOKEN_S,
            "sub": contact,
        }
        signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
        r, s = decode_dss_signature(self._private.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))  # RFC 7518 section 3.4
        return f"vapid t={signed}.{signature}, k={self.public}"


def _json(value: Mapping[str, object]) -> str:
    return encode(json.dumps(value, separators=(",", ":")).encode())
