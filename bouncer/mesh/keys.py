"""The long-term keys of the mesh: one Ed25519 key each; its X25519 form seals pairs.

A key file holds the 32-octet seed in base64 and is 0600, or it is refused. The public part is
written `muster1:BASE64`, so that a key pasted into the wrong place is seen at once.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import hmac
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from storage import keyfile

PREFIX = "muster1:"
KEY_ID_OCTETS = 8
SIGNATURE_OCTETS = 64
_FIELD_PRIME = 2**255 - 19  # RFC 7748 section 4.1


class KeyFault(ValueError):
    """A key that cannot be read or used. Its text is the operator's message."""


@dataclass(frozen=True)
class PublicKey:
    """The public part of a mesh key: 32 octets of Ed25519."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise KeyFault("a mesh key has 32 octets")

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read `muster1:BASE64`. Raises KeyFault."""
        text = text.strip()
        if not text.startswith(PREFIX):
            raise KeyFault(f"a mesh key looks like {PREFIX}… ; make one with `fallback key`")
        try:
            raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise KeyFault("this mesh key is not whole: its base64 part cannot be read") from None
        return cls(raw)

    def __str__(self) -> str:
        return PREFIX + base64.b64encode(self.raw).decode()

    @cached_property
    def key_id(self) -> bytes:
        """Eight octets by which a datagram names its sender."""
        return hashlib.blake2b(
            self.raw, digest_size=KEY_ID_OCTETS, person=b"muster key id"
        ).digest()

    @cached_property
    def _verifier(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is this key's over `data`. Total."""
        try:
            self._verifier.verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True

    def montgomery(self) -> bytes:
        """The same point as an X25519 public key: RFC 7748 section 4.1, u = (1 + y) / (1 - y)."""
        y = int.from_bytes(self.raw, "little") & ((1 << 255) - 1)
        u = (1 + y) * pow(1 - y, _FIELD_PRIME - 2, _FIELD_PRIME) % _FIELD_PRIME
        return u.to_bytes(32, "little")


@dataclass(frozen=True)
class MeshKey:
    """A process's own key: signs what is shown to others, seals what goes to one peer."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> MeshKey:
        return cls(os.urandom(32))

    @classmethod
    def load(cls, path: Path) -> MeshKey:
        """Read a key file. Raises KeyFault when it is missing, open to others, or no key."""
        try:
            mode = path.stat().st_mode
            text = path.read_text("ascii", "replace")
        except OSError as error:
            raise KeyFault(f"{path}: {error.strerror}") from None
        if stat.S_IMODE(mode) & 0o077:
            raise KeyFault(f"{path}: others may read this key; chmod 600 {path}")
        try:
            seed = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            seed = b""
        if len(seed) != 32:
            raise KeyFault(
                f"{path}: holds no mesh key; put your copy back, or move it away and pair anew"
            )
        return cls(seed)

    @classmethod
    def load_or_make(cls, path: Path) -> MeshKey:
        """Read the key file, or make one (0600, never replacing another's). Raises KeyFault as
        `load`, and OSError where it cannot be made."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keyfile.make(path, lambda: base64.b64encode(cls.generate().seed) + b"\n")
        return cls.load(path)

    @cached_property
    def _signer(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def public(self) -> PublicKey:
        return PublicKey(self._signer.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        return self._signer.sign(data)

    def pair_key(self, peer: PublicKey) -> bytes:
        """The 32-octet key that only these two can compute. Raises KeyFault on a bad point."""
        # RFC 8032 section 5.1.5: the Ed25519 scalar is the first half of the seed's SHA-512,
        # X25519 clamps it the same way.
        scalar = hashlib.sha512(self.seed).digest()[:32]
        try:
            shared = X25519PrivateKey.from_private_bytes(scalar).exchange(
                X25519PublicKey.from_public_bytes(peer.montgomery())
            )
        except ValueError:
            raise KeyFault("this mesh key is a point of small order: refuse it") from None
        first, second = sorted((self.public.raw, peer.raw))
        return hashlib.blake2b(
            first + second, key=shared, digest_size=32, person=b"muster pair"
        ).digest()

    def derived(self, purpose: bytes) -> bytes:
        """32 secret octets for one more purpose (at most 16 octets of name)."""
        return hashlib.blake2b(self.seed, digest_size=32, person=purpose).digest()

    def certificate_pem(self) -> bytes:
        """Key and self-signed certificate for the TLS link, where only the key is looked at."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "muster mesh")])
        # Dates are ignored on this link, so that an expired certificate never cuts the lifeline.
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._signer.public_key())
            .serial_number(int.from_bytes(self.public.key_id, "big"))
            .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
            .not_valid_after(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC))
            .sign(self._signer, None)
        )
        key_pem = self._signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key_pem + certificate.public_bytes(Encoding.PEM)


def certificate_is_of(certificate_der: bytes, expected: PublicKey) -> bool:
    """Whether a peer's certificate carries the pinned key. Total."""
    try:
        shown = x509.load_der_x509_certificate(certificate_der).public_key()
    except (ValueError, TypeError):
        return False
    return isinstance(shown, Ed25519PublicKey) and hmac.compare_digest(
        shown.public_bytes_raw(), expected.raw
    )
