"""The certificate of a bouncer that was given none: made once, kept for good."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from storage import keyfile

# Clients pin a self-signed certificate by its fingerprint, so that a new one is a new alarm for
# each of them: it lives long enough never to be renewed by surprise.
LIFETIME_DAYS = 3650

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def _ecdsa() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _rsa() -> PrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=3072)


KEY_TYPES: Mapping[str, Callable[[], PrivateKey]] = {
    "ecdsa": _ecdsa,
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa": _rsa,
}


def make(
    certificate: Path, key: Path, names: Iterable[str], now: datetime.datetime | None = None
) -> None:
    """Write a new self-signed pair, the key readable by its owner only.

    `names` are host names and addresses; the first is the subject.
    """
    private = _ecdsa()
    signed = _sign(private, names, ExtendedKeyUsageOID.SERVER_AUTH, now)
    certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyfile.replace(key, _private_pem(private))
    keyfile.replace(certificate, signed.public_bytes(serialization.Encoding.PEM), 0o644)


def device(name: str, key_type: str = "ecdsa") -> str:
    """A self-signed certificate to log in with, and its key after it, as PEM text. RSA takes up
    to a second."""
    private = KEY_TYPES[key_type]()
    signed = _sign(private, [name], ExtendedKeyUsageOID.CLIENT_AUTH, None)
    return (signed.public_bytes(serialization.Encoding.PEM) + _private_pem(private)).decode()


def _private_pem(private: PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _sign(
    private: PrivateKey,
    names: Iterable[str],
    usage: x509.ObjectIdentifier,
    now: datetime.datetime | None,
) -> x509.Certificate:
    unique = list(dict.fromkeys(name for name in names if name))
    start = (now or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(hours=1)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, unique[0].encode()[:64].decode(errors="ignore"))]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=LIFETIME_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in unique]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([usage]), False)
        .sign(private, None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        # A person's name may hold any letter, a DNS name ASCII alone: RFC 5280 section 4.2.1.6.
        return x509.DNSName(name.encode("ascii", "replace").decode().replace("?", "_"))
