"""The server's TLS: one pair of contexts in use, replaced whole or not at all.

A new certificate is loaded into new contexts, those are tried with a handshake in memory, and only
then do they take the place of the old ones; connections that are up keep what they have.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import trio

from bouncer.config import Config
from bouncer.tls import certificates, selfsigned
from bouncer.tls.certificates import Certificate, CertificateFault
from bouncer.tls.stream import Context, TlsStream

SELF_SIGNED_CERTIFICATE = "tls-certificate.pem"
SELF_SIGNED_KEY = "tls-key.pem"
_HANDSHAKE_ROUNDS = 10  # TLS 1.2 needs two; more means that it will never be done


class ServerTls:
    """The contexts for TLS listeners. `reload` is what HUP and the certificate watch call."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises CertificateFault when the pair cannot be used."""
        self.certificate = certificate
        self.key = key
        self.served, self._plain, self._asking = _build(certificate, key)

    def context(self, client_certs: bool) -> Context:
        """That of the next connection; one that asks for a certificate if `client_certs`."""
        return self._asking if client_certs else self._plain

    def on_disk(self) -> Certificate:
        """What a reload would serve. Raises CertificateFault."""
        return certificates.read(self.certificate)

    def fault(self) -> str:
        """Why what is on the disk cannot be served; "" where it can."""
        try:
            _build(self.certificate, self.key)
        except CertificateFault as fault:
            return str(fault)
        return ""

    def reload(self, certificate: Path | None = None, key: Path | None = None) -> bool:
        """Serve what is on the disk now; True when that is another certificate.

        Raises CertificateFault and goes on serving the old one when the new one is unusable.
        """
        certificate, key = certificate or self.certificate, key or self.key
        served, plain, asking = _build(certificate, key)
        changed = served.fingerprint != self.served.fingerprint
        self.certificate, self.key = certificate, key
        self.served, self._plain, self._asking = served, plain, asking
        return changed


def server_tls(config: Config) -> ServerTls:
    """The TLS of `config`; makes a self-signed pair in the data directory when it names none.

    Raises CertificateFault.
    """
    certificate, key = paths(config)
    if config.tls.certificate is None and not (certificate.exists() and key.exists()):
        selfsigned.make(certificate, key, _names(config))
    return ServerTls(certificate, key)


def paths(config: Config) -> tuple[Path, Path]:
    """The certificate and key that `config` means, whether or not they are there yet."""
    if config.tls.certificate is not None and config.tls.key is not None:
        return config.tls.certificate, config.tls.key
    return config.data_dir / SELF_SIGNED_CERTIFICATE, config.data_dir / SELF_SIGNED_KEY


def peer_fingerprint(stream: trio.abc.Stream) -> str:
    """SHA-256 of the client's certificate as lower case hex; "" without one.

    The handshake must be done. Meaningful on listeners with `client_certs` only.
    """
    if not isinstance(stream, TlsStream):
        return ""
    der = stream.talk.getpeercert(binary_form=True)
    return certificates.fingerprint_of(der) if der else ""


def _names(config: Config) -> list[str]:
    """What clients may call a bouncer that has no certificate of its own."""
    hosts = [each.address.host for each in config.listen if each.address.host]
    anywhere = {"", "0.0.0.0", "::"}
    return [
        config.server_name,
        "localhost",
        socket.gethostname(),
        "127.0.0.1",
        "::1",
        *(host for host in hosts if host not in anywhere),
    ]


def _build(certificate: Path, key: Path) -> tuple[Certificate, Context, Context]:
    from bouncer.tls.anycert import AnyCertContext  # without TLS nobody needs pyOpenSSL

    served = certificates.read(certificate)  # before the rest: what replaces it is another
    certificates.check_pair(certificate, key)
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    plain.minimum_version = ssl.TLSVersion.TLSv1_2
    plain.options |= ssl.OP_NO_RENEGOTIATION
    try:
        plain.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CertificateFault(f"{certificate}: cannot be served: {error}") from None
    asking = AnyCertContext(certificate, key)
    contexts: tuple[Context, Context] = plain, asking
    for context in contexts:
        _try_handshake(context, certificate)
    return served, *contexts


def _try_handshake(server: Context, certificate: Path) -> None:
    """Shake hands with ourselves in memory: a context that cannot do that never goes into use."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(down, up, server_side=False)
    far = server.wrap_bio(up, down, server_side=True)
    waiting: list[Callable[[], None]] = [near.do_handshake, far.do_handshake]
    for _ in range(_HANDSHAKE_ROUNDS):
        for shake in list(waiting):
            try:
                shake()
                waiting.remove(shake)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                raise CertificateFault(
                    f"{certificate}: a trial handshake failed: {error.reason or error}"
                ) from None
        if not waiting:
            return
    raise CertificateFault(f"{certificate}: a trial handshake did not end")
