"""TLS of the benchmarks: a pair of the run's own, which nobody verifies."""

from __future__ import annotations

import hashlib
import socket
import ssl
from functools import cache
from pathlib import Path
from typing import NamedTuple

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)  # of sockets that block


class Pair(NamedTuple):
    """A certificate and its key, for the network and for the subject.

    `asking`: where a listener may ask for client certificates, it does.
    """

    certificate: Path
    key: Path
    asking: bool = False

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).hexdigest()

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@cache
def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(port: int, tls: bool, timeout_s: float = 10.0) -> socket.socket:
    """A client's connection to this machine, its TLS handshake done. Raises OSError."""
    sock = socket.create_connection(("127.0.0.1", port), timeout_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client_context().wrap_socket(sock) if tls else sock
