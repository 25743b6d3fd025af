"""Where a voter reaches this bouncer: IP addresses, since our DNS may be down together with us."""

from __future__ import annotations

import ipaddress

import trio

from bouncer.address import is_ip
from bouncer.config import Config, Listen
from bouncer.connections.dial import ServerAddress

MOST = 4  # addresses that a voter's configuration takes
_EVERY = {"0.0.0.0": 4, "::": 6}  # the family in which each means every address


async def reachable(config: Config, towards: str) -> list[str]:
    """Network URIs of the client ports, TLS ones only where there are any; empty if none is known.

    A listener on every address, or on a name, is written as what the name resolves to now; or
    else as the address from which this machine would reach the voter `towards` (host:port).
    """
    wanted = [each for each in config.listen if each.address.host]
    wanted = [each for each in wanted if not each.address.loopback] or wanted
    wanted = [each for each in wanted if each.tls] or wanted
    found = []
    for listen in wanted:
        scheme = "ircs" if listen.tls else "irc+insecure"
        for host in await _hosts(listen, config.server_name, towards):
            bracketed = f"[{host}]" if ":" in host else host
            found.append(f"{scheme}://{bracketed}:{listen.address.port}")
    return list(dict.fromkeys(found))[:MOST]


def pinned(text: str) -> str:
    """Read a network URI whose host is an IP address. Raises ValueError."""
    host = ServerAddress.parse(text).host
    if not is_ip(host):
        raise ValueError(f'"{host}" is a name; write the IP address')
    return text


async def _hosts(listen: Listen, server_name: str, towards: str) -> list[str]:
    host = listen.address.host
    family = _EVERY.get(host)
    if family is None and is_ip(host):
        return [host]
    names = await _resolved(server_name if family else host)
    # A machine often knows itself by name as 127.0.1.1, where nobody else reaches it.
    outside = [each for each in names if not ipaddress.ip_address(each).is_loopback]
    outside = outside or await _source_towards(towards)
    return [each for each in outside if family in (None, ipaddress.ip_address(each).version)]


async def _resolved(name: str) -> list[str]:
    try:
        found = await trio.socket.getaddrinfo(name, None, type=trio.socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


async def _source_towards(address: str) -> list[str]:
    """The address of ours that the system would use towards `address`; sends nothing."""
    host, _, port = address.rpartition(":")
    try:
        found = await trio.socket.getaddrinfo(host.strip("[]"), port, type=trio.socket.SOCK_DGRAM)
        family, kind, protocol, _, where = found[0]
        with trio.socket.socket(family, kind, protocol) as probe:
            await probe.connect(where)
            return [str(probe.getsockname()[0]).partition("%")[0]]
    except OSError:
        return []
