"""Octets that another bouncer has kept, as texts."""

from __future__ import annotations

from bouncer.irc.wire import decode


def text_of(octets: bytes) -> str:
    """In whatever encoding they are; NUL, which PostgreSQL does not take, is no part of a text."""
    return decode(octets.replace(b"\0", b""))
