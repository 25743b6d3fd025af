"""What somebody hears who came to a port of ours that speaks otherwise. Pure.

A client that is closed without a word leaves its user to guess; scanners get none.
"""

from __future__ import annotations

ONLY_TLS = b"ERROR :This port speaks TLS alone: switch TLS (SSL) on for it in your client\r\n"
_PAGE = b"This port speaks TLS alone: connect by wss://\n"
ONLY_WSS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE)
)
# Fatal, handshake_failure: "unable to negotiate an acceptable set of security parameters given the
# options available", RFC 8446 section 6.2. The version is the one of every first record.
NO_TLS_HERE = b"\x15\x03\x01\x00\x02\x02\x28"
# What a client may begin with.
_IRC = (b"CAP", b"NICK", b"PASS", b"USER", b"STARTTLS", b"WEBIRC", b"AUTHENTICATE", b"QUIT")


def answer_in_clear(begin: bytes, websocket: bool) -> bytes:
    """For who began so where TLS is spoken; b"" for who speaks neither IRC nor HTTP."""
    word = begin.partition(b" ")[0].strip().upper()
    if websocket:
        return ONLY_WSS if word == b"GET" else b""
    return ONLY_TLS if word in _IRC else b""
