"""Ports for programs under test: no two runs on one machine are ever given the same.

A port found by binding to 0 and letting go belongs to nobody until its program listens: meanwhile
the kernel may give it to another run, or to any outgoing connection. So a run reserves blocks of
ports below those that the kernel gives away, each by holding its first port bound to its own end.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

FIRST, LAST = 12_000, 31_999  # the kernel gives away 32768 and more (Linux), 49152 (others)
BLOCK = 100

_held: list[socket.socket] = []


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody has, for TCP and UDP on `host`; another one at each call."""
    for port in _ours:
        if _is_free(host, port):
            return port
    raise AssertionError(f"all blocks of ports between {FIRST} and {LAST} are taken")


def _reserved() -> Iterator[int]:
    for first in range(FIRST, LAST, BLOCK):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", first))
        except OSError:  # another run's
            holder.close()
            continue
        _held.append(holder)
        yield from range(first + 1, first + BLOCK)


_ours = _reserved()


def _is_free(host: str, port: int) -> bool:
    """Whether no program outside the tests has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as probes:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            probe = probes.enter_context(socket.socket(family, kind))
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
