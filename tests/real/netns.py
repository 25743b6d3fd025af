"""Sockets of this process inside another network namespace: clients without a process of their own.

A socket stays in the namespace it was made in, so a thread steps in, makes it, and steps back.
"""

from __future__ import annotations

import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor

CLONE_NEWNET = 0x40000000  # setns(2)
CONNECT_S = 10.0


def socket_in(netns: str | None, family: int, kind: int) -> socket.socket:
    """A new socket in the namespace (None: in ours). Raises OSError."""
    if netns is None:
        return socket.socket(family, kind)
    # A thread of its own: a failed step back must not strand one that lives on.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_made, netns, family, kind).result()


def _made(netns: str, family: int, kind: int) -> socket.socket:
    libc = ctypes.CDLL(None, use_errno=True)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(there, CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, f"setns {netns}: {os.strerror(code)}")
        return socket.socket(family, kind)
    finally:
        os.close(there)


def connected(
    host: str, port: int, netns: str | None = None, timeout_s: float = CONNECT_S
) -> socket.socket:
    """A blocking socket connected to a literal address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket_in(netns, family, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout_s)
        made.connect((host, port))
    except OSError:
        made.close()
        raise
    return made
