"""A connection without a network: it gives commands, and what it says goes nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bouncer.session.session import Session

# What such a connection may send: nothing of it wishes anything of a network, nor is kept for one.
TAKEN = frozenset({
    "AWAY", "BATCH", "BOUNCER", "CHATHISTORY", "ERROR", "ISON", "ISUPPORT", "MARKREAD",
    "METADATA", "MONITOR", "MOTD", "NOTICE", "PASS", "PING", "PONG", "PRIVMSG",
    "PROTOCTL", "QUIT", "READ", "SEARCH", "SERVER", "TAGMSG", "USER", "USERHOST",
    "WEBPUSH", "WHO", "ZNC",
})  # fmt: skip


def is_unbound(session: Session) -> bool:
    return not session.network.id


def refuses(session: Session, command: str) -> bool:
    return is_unbound(session) and command not in TAKEN


def why_not_sent(session: Session) -> str:
    """Why a command goes nowhere now."""
    if is_unbound(session):
        return "this connection is on no network"
    return f"{session.network.name} is not connected now"
