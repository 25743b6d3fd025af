"""A TLS context that takes any client certificate, or none, and leaves the judgement to the login.

Python's `ssl` can only verify a client certificate in the handshake against known issuers, and a
person's certificate is self-signed: known by its fingerprint alone. This object stands in for an
ssl.SSLContext at `tls_stream.shake_hands`, and works on pyOpenSSL's memory BIOs.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, TypeVarTuple, Unpack

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from bouncer.tls import certificates

PUMP_OCTETS = 65_536
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class AnyCertContext:
    """A server's context. Whoever uses it must look at the peer's certificate, or treat the
    peer as anyone at all. Raises CertificateFault when the pair cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        chain = certificates.load_chain(certificate)
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # A resumed session carries no certificate on some versions, so there is none to resume;
        # without renegotiation a write can never wait for a read.
        self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self._context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        self._context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        try:
            self._context.use_certificate(chain[0])
            for issuer in chain[1:]:
                self._context.add_extra_chain_cert(issuer)
            self._context.use_privatekey(certificates.load_key(key))  # type: ignore[arg-type]  # other kinds raise TypeError
            self._context.check_privatekey()
        except (SSL.Error, TypeError) as error:
            raise certificates.CertificateFault(f"{key}: not the key of {certificate}") from error

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> AnyCertObject:
        """As ssl.SSLContext does it. Nobody dials with it."""
        assert server_side
        assert server_hostname is None
        return AnyCertObject(self._context, incoming, outgoing)


class AnyCertObject:
    """The part of ssl.SSLObject that a TlsStream uses, over a pyOpenSSL connection."""

    def __init__(
        self, context: SSL.Context, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()

    def do_handshake(self) -> None:
        self._run(self._connection.do_handshake)
        self._drain()

    def read(self, octets: int) -> bytes:
        """At most `octets` of what the peer said; b"" once it has said goodbye."""
        try:
            return self._run(self._connection.recv, octets)
        except SSL.ZeroReturnError:
            return b""

    def pending(self) -> int:
        """Not known, so never 0: pyOpenSSL does not tell what its buffer holds."""
        return 1

    def write(self, data: bytes) -> int:
        # sendall: send() may take one record only, as ssl.SSLObject never does.
        written = self._run(self._connection.sendall, data)
        self._drain()
        return written

    def unwrap(self) -> None:
        """Say close_notify, without waiting for the peer's."""
        self._run(self._connection.shutdown)
        self._drain()

    def getpeercert(self, binary_form: bool = False) -> bytes | None:
        """The peer's certificate in DER form, None without one. It was not verified."""
        if not binary_form:
            raise ValueError("an unverified certificate is to be had in binary form only")
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        return certificate.public_bytes(Encoding.DER) if certificate else None

    def version(self) -> str | None:
        return self._connection.get_protocol_version_name()

    def _run(self, operation: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Do one operation on what has come in, with `ssl`'s exceptions."""
        while data := self._incoming.read(PUMP_OCTETS):
            self._connection.bio_write(data)
        try:
            return operation(*args)
        except SSL.WantReadError:
            self._drain()
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more is needed") from None
        except SSL.ZeroReturnError:
            raise
        except SSL.Error as error:
            self._drain()
            raise _translated(error) from error

    def _drain(self) -> None:
        """Hand on what is to be sent. One read more than needed would end in a costly exception."""
        with suppress(SSL.WantReadError):
            while len(data := self._connection.bio_read(PUMP_OCTETS)) == PUMP_OCTETS:
                self._outgoing.write(data)
            self._outgoing.write(data)


def _translated(error: SSL.Error) -> ssl.SSLError:
    """The ssl exception for a pyOpenSSL one, whose argument is a list of (library, "", reason)."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reason = "; ".join(str(entry[-1]) for entry in queue if entry) or "TLS failed"
    return ssl.SSLError(ssl.SSL_ERROR_SSL, reason)
