"""A TLS context that takes any client certificate, or none, and leaves the judgement to the login.

Python's `ssl` can only verify a client certificate in the handshake against known issuers, and a
person's certificate is self-signed: known by its fingerprint alone. This object stands in as the
`ssl_context` of trio.SSLStream and works on pyOpenSSL's memory BIOs. It also dials: for links
that pin the peer's public key and must not care for dates.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from bouncer import certificates

PUMP_OCTETS = 65_536
T = TypeVar("T")


class AnyCertContext:
    """The stand-in for ssl.SSLContext: `trio.SSLStream(stream, context, server_side=True)`.

    Whoever uses it must look at the peer's certificate, or treat the peer as anyone at all.
    Raises CertificateFault when the pair cannot be used.
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
        """What trio.SSLStream asks of a context."""
        return AnyCertObject(self._context, incoming, outgoing, server_side, server_hostname)


class AnyCertObject:
    """The part of ssl.SSLObject that trio.SSLStream uses, over a pyOpenSSL connection."""

    def __init__(
        self,
        context: SSL.Context,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool,
        server_hostname: str | None,
    ) -> None:
        self.server_side = server_side
        self.server_hostname = server_hostname
        self._incoming = incoming
        self._outgoing = outgoing
        self._connection = SSL.Connection(context, None)
        if server_side:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
            if server_hostname:
                self._connection.set_tlsext_host_name(server_hostname.encode("idna"))

    def do_handshake(self) -> None:
        self._run(self._connection.do_handshake)

    def read(self, octets: int) -> bytes:
        """At most `octets` of what the peer said; b"" once it has said goodbye."""
        try:
            return self._run(lambda: self._connection.recv(octets))
        except ssl.SSLZeroReturnError:
            return b""

    def write(self, data: bytes | bytearray | memoryview) -> int:
        # sendall: send() may take one record only, and trio does not look at the count.
        self._run(lambda: self._connection.sendall(bytes(data)))
        return len(data)

    def unwrap(self) -> None:
        """Say goodbye; wants a read until the peer has said it too."""
        if not self._run(self._connection.shutdown):
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the peer has yet to say goodbye")

    def getpeercert(self, binary_form: bool = False) -> bytes | None:
        """The peer's certificate in DER form, None without one. It was not verified."""
        if not binary_form:
            raise ValueError("an unverified certificate is to be had in binary form only")
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        return certificate.public_bytes(Encoding.DER) if certificate else None

    def version(self) -> str | None:
        return self._connection.get_protocol_version_name()

    def cipher(self) -> tuple[str, str, int] | None:
        name = self._connection.get_cipher_name()
        bits = self._connection.get_cipher_bits()
        return (name, self._connection.get_cipher_version() or "", bits or 0) if name else None

    def pending(self) -> int:
        return self._connection.pending()

    def selected_alpn_protocol(self) -> str | None:
        return self._connection.get_alpn_proto_negotiated().decode() or None

    def _run(self, operation: Callable[[], T]) -> T:
        """Do one operation between the two pairs of buffers, with `ssl`'s exceptions."""
        while data := self._incoming.read(PUMP_OCTETS):
            self._connection.bio_write(data)
        if self._incoming.eof:
            self._connection.bio_shutdown()
        try:
            return operation()
        except SSL.WantReadError:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more is needed") from None
        except SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "the peer left") from None
        except SSL.SysCallError as error:
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the peer vanished") from error
        except SSL.Error as error:
            raise _translated(error) from error
        finally:
            self._drain()

    def _drain(self) -> None:
        while True:
            try:
                self._outgoing.write(self._connection.bio_read(PUMP_OCTETS))
            except SSL.WantReadError:
                return


def _translated(error: SSL.Error) -> ssl.SSLError:
    """The ssl exception for a pyOpenSSL one, whose argument is a list of (library, "", reason)."""
    queue = error.args[0] if error.args else []
    reason = "; ".join(str(entry[-1]) for entry in queue if entry) or "TLS failed"
    if "unexpected eof" in reason:
        return ssl.SSLEOFError(ssl.SSL_ERROR_EOF, reason)
    return ssl.SSLError(ssl.SSL_ERROR_SSL, reason)
