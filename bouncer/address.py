"""Where a socket listens, as configuration files write it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host and port, or else the path of a unix socket."""

    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read "host:port", "[v6]:port" or "unix:path". Raises ValueError that says what to do."""
        if text.startswith("unix:"):
            if not text.removeprefix("unix:"):
                raise ValueError('"unix:" names no socket; write "unix:/run/muster/irc.sock"')
            return cls("", 0, text.removeprefix("unix:"))
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise ValueError(f'"{text}" has no port; write "host:port" or "unix:path"')
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f'"{port}" is not a port; write a number from 0 to 65535')
        if host[0] == "[" and host[-1] == "]":
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f'"{text}" is ambiguous; write an IPv6 address as "[::1]:6697"')
        return cls(host, int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def refused(address: Address, error: OSError) -> str:
    """Why nothing can listen there, and what to do, in words for the operator."""
    match error.errno:
        case errno.EADDRINUSE:
            why = "another program does already; stop it, or take another port"
        case errno.EADDRNOTAVAIL:
            why = "this machine has no such address; take one that `ip addr` shows"
        case errno.ENOENT | errno.ENOTDIR if address.path:
            why = "the folder is missing; make it"
        case errno.EACCES if address.path:
            why = "the folder is not ours to write; chown it to the bouncer's user"
        case errno.EACCES:
            why = "ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one"
        case _ if isinstance(error, socket.gaierror):
            why = f"{error.strerror}; take an address of this machine"
        case _:
            why = error.strerror or str(error)
    return f"{address} cannot be listened on: {why}"


def _read_address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError('is not text; write "host:port" or "unix:path"')
    return Address.parse(value)


ListenOn = Annotated[Address, BeforeValidator(_read_address)]


def _for_metrics(value: Address) -> Address:
    if value.path:
        raise ValueError("is a unix socket, where Prometheus cannot ask; write 127.0.0.1:PORT")
    if not value.loopback:
        raise ValueError(f"{value} is open to others; write 127.0.0.1:PORT")
    return value


MetricsOn = Annotated[ListenOn, AfterValidator(_for_metrics)]


def is_ip(text: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
