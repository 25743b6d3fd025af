"""What a certificate says, and when somebody must be told about it. Time is an argument."""

from __future__ import annotations

import datetime
import enum
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

DAY_S = 86_400.0


class CertificateFault(ValueError):
    """A certificate or key that cannot be used. Its text is the operator's message."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the first certificate of a chain says. Times are seconds since the epoch."""

    path: Path
    fingerprint: str  # SHA-256 of the DER form, lower case hex without colons
    not_before: float
    not_after: float
    names: tuple[str, ...]  # host names and addresses it is good for
    issuers: tuple[str, ...] = ()  # the fingerprints of the rest of the chain

    @property
    def lifetime_s(self) -> float:
        return self.not_after - self.not_before

    def left_s(self, now: float) -> float:
        return self.not_after - now


@dataclass(frozen=True, slots=True)
class Standing:
    """The certificate that is served, the one on disk, and why that cannot be served; "" where it
    can. `on_disk` is the served one where there is none that can be read."""

    served: Certificate
    on_disk: Certificate
    fault: str = ""


class Urgency(enum.IntEnum):
    """How much it matters that a certificate is renewed; a higher one needs saying sooner."""

    FINE = 0
    RENEW = 1  # a renewal is overdue: less than a third of the lifetime, minus two days
    URGENT = 2  # under 15 % of the lifetime
    LAST_DAYS = 3  # said every day
    EXPIRED = 4  # said every day
    NOT_YET = 5  # its time begins in the future: a wrong clock here or at the issuer


_DAILY = {Urgency.LAST_DAYS, Urgency.EXPIRED, Urgency.NOT_YET}


def urgency(certificate: Certificate, now: float) -> Urgency:
    """Which threshold `certificate` has passed at `now` (seconds since the epoch)."""
    left_s, lifetime_s = certificate.left_s(now), certificate.lifetime_s
    if left_s <= 0:
        return Urgency.EXPIRED
    if now < certificate.not_before:
        return Urgency.NOT_YET
    # A certificate that lives a week is not in its last days for half of its life.
    if left_s < min(3 * DAY_S, lifetime_s / 3):
        return Urgency.LAST_DAYS
    if left_s < 0.15 * lifetime_s:
        return Urgency.URGENT
    # Renewal is due at a third of the lifetime (certbot); two days late is no accident.
    if left_s < lifetime_s / 3 - 2 * DAY_S:
        return Urgency.RENEW
    return Urgency.FINE


@dataclass(frozen=True, slots=True)
class Told:
    """What was last said about which certificate, to be remembered by the caller."""

    fingerprint: str
    urgency: Urgency
    at: float  # seconds since the epoch
    acked_by: str = ""  # who said that they see to it


def due(certificate: Certificate, now: float, told: Told | None) -> bool:
    """Whether `certificate` has to be spoken of now: once per threshold, daily near the end.

    Once somebody has acknowledged it, not before it gets worse.
    """
    level = urgency(certificate, now)
    if level is Urgency.FINE:
        return False
    if told is None or told.fingerprint != certificate.fingerprint or level > told.urgency:
        return True
    return level in _DAILY and not told.acked_by and now - told.at >= DAY_S


def sentence(standing: Standing, now: float) -> str:
    """The state of the certificate as one line; "" when there is nothing to say.

    Tells a certificate that was renewed but not reloaded from one that nobody renewed, and from one
    that cannot be served.
    """
    served, on_disk = standing.served, standing.on_disk
    if standing.fault:
        return (
            f"certificate on disk cannot be served: {standing.fault}. Still served is the one "
            f"until {day(served.not_after)} ({days(served, now)}); a restart would fail"
        )
    level = urgency(served, now)
    if on_disk.fingerprint != served.fingerprint and on_disk.not_after > served.not_after:
        return (
            f"certificate renewed but not reloaded: {days(served, now)} left of the served one, "
            f"{days(on_disk, now)} of {on_disk.path}; send HUP, or `bouncer ctl server reload`"
        )
    match level:
        case Urgency.FINE:
            return ""
        case Urgency.EXPIRED:
            return f"certificate expired {day(served.not_after)} and is not renewed; clients refuse"
        case Urgency.NOT_YET:
            return f"certificate begins only {day(served.not_before)}; check the clock"
        case Urgency.RENEW:
            return (
                f"certificate not renewed: {days(served, now)} left, until {day(served.not_after)}"
            )
    return (
        f"certificate urgent: {days(served, now)} left, until {day(served.not_after)}, not renewed"
    )


def days(certificate: Certificate, now: float) -> str:
    """What is left, as people say it: `51d`, `5h`, `expired`."""
    left_s = certificate.left_s(now)
    if left_s <= 0:
        return "expired"
    return f"{int(left_s // DAY_S)}d" if left_s >= DAY_S else f"{int(left_s // 3600)}h"


def day(moment: float) -> str:
    """`2026-11-22 13:05Z`."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%d %H:%MZ")


def fingerprint_of(der: bytes) -> str:
    """SHA-256 of a certificate's DER form as lower case hex: by it a person is known."""
    return hashlib.sha256(der).hexdigest()


def read(path: Path) -> Certificate:
    """The first certificate of the PEM file `path`. Raises CertificateFault."""
    own, *issuers = load_chain(path)
    return replace(describe(own, path), issuers=tuple(map(_fingerprint, issuers)))


def describe(certificate: x509.Certificate, path: Path) -> Certificate:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(str(name.value) for name in extension.value)
    except x509.ExtensionNotFound:
        names = ()
    except (ValueError, x509.DuplicateExtension) as error:
        raise CertificateFault(f"{path}: its extensions cannot be read: {error}") from None
    return Certificate(
        path,
        _fingerprint(certificate),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        names,
    )


def _fingerprint(certificate: x509.Certificate) -> str:
    return fingerprint_of(certificate.public_bytes(serialization.Encoding.DER))


def load_chain(path: Path) -> list[x509.Certificate]:
    """Every certificate of a PEM file, the server's own first. Raises CertificateFault."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise CertificateFault(f"{path}: {error.strerror}; {_advice(error)}") from None
    except ValueError:
        raise CertificateFault(f"{path}: holds no PEM certificate; name the full chain") from None


def load_key(path: Path) -> PrivateKeyTypes:
    """The private key of a PEM file without a passphrase. Raises CertificateFault."""
    try:
        # To look whether an RSA key is a good one takes a third of a second, in which nothing else
        # is served; the trial handshake shows it as well.
        return serialization.load_pem_private_key(
            path.read_bytes(), None, unsafe_skip_rsa_key_validation=True
        )
    except OSError as error:
        raise CertificateFault(f"{path}: {error.strerror}; {_advice(error)}") from None
    except TypeError:
        raise CertificateFault(f"{path}: is encrypted; write it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateFault(f"{path}: holds no PEM private key") from None


def check_pair(certificate: Path, key: Path) -> None:
    """Raise CertificateFault unless both are readable and belong together."""
    try:
        public = load_chain(certificate)[0].public_key()
    except UnsupportedAlgorithm as error:
        raise CertificateFault(f"{certificate}: its kind of key is not known: {error}") from None
    if _public_bytes(load_key(key).public_key()) != _public_bytes(public):
        raise CertificateFault(f"{key}: is not the key of {certificate}; name the matching pair")


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined,no-any-return]  # all key types have it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "let the bouncer's user read it"
    return "name the file that is there"
