"""The attributes that clients give networks, as the words of `network add` and `network set`.

One registry decides about networks; this is only another way to say it: soju.im/bouncer-networks.
"""

from __future__ import annotations

import re

from bouncer.connections.dial import PLAIN_PORT, TLS_PORT, AddressError, ServerAddress
from bouncer.control import readers
from bouncer.irc.bouncer_networks import AddNetwork, ChangeNetwork, refused
from bouncer.irc.standard_replies import Refused

_FLAGS = {
    "nickname": ("--nick", readers.nick_or_none),
    "username": ("--ident", readers.word),
    "realname": ("--realname", readers.line),
    "pass": ("--server-password", readers.line),
}
_NOWHERE = ServerAddress("", TLS_PORT, tls=True)  # what is left open is as if it were this


def adding(asked: AddNetwork) -> tuple[str, list[str]]:
    """The name of the network, and the words that add it. Raises Refused."""
    attributes = asked.attributes
    name = attributes.get("name") or attributes["host"].replace(":", "-")
    try:
        readers.name(name)
    except ValueError as error:
        raise _invalid(asked, "name", error) from None
    uri = _uri(asked, _NOWHERE)
    return name, ["network", "add", *_options(asked), "--", name, uri]


def changing(asked: ChangeNetwork, name: str, uri: str) -> list[str]:
    """The words that change the network called `name`, now at `uri`. Raises Refused."""
    options = _options(asked)
    if "name" in asked.attributes:
        try:
            options.append(f"--name={readers.name(asked.attributes['name'])}")
        except ValueError as error:
            raise _invalid(asked, "name", error) from None
    moved = asked.attributes.keys() & {"host", "port", "tls"}
    where = [_uri(asked, _known(uri))] if moved else []
    return ["network", "set", *options, "--", name, *where]


def _known(uri: str) -> ServerAddress:
    try:
        known = ServerAddress.parse(uri)
    except AddressError:  # an imported one: what is changed must say it all
        return _NOWHERE
    return _NOWHERE if known.path else known


def _options(asked: AddNetwork | ChangeNetwork) -> list[str]:
    options = []
    for name, value in asked.attributes.items():
        if name in _FLAGS:
            flag, read = _FLAGS[name]
            try:
                read(value)
            except ValueError as error:
                raise _invalid(asked, name, error) from None
            options.append(f"{flag}={value}")
    return options


def _uri(asked: AddNetwork | ChangeNetwork, known: ServerAddress) -> str:
    """The address as it is to be. What is not named stays as it is, but for a port that was only
    the default, and addresses that were those of another host."""
    given = asked.attributes
    host = given.get("host", known.host).casefold()
    tls = {"1": True, "0": False, "": True}.get(given.get("tls", "1" if known.tls else "0"))
    if tls is None:
        raise _invalid(asked, "tls", "write 1 for TLS, 0 for plain text")
    port = given.get("port") or str(_default_port(tls))
    if "port" not in given and known.port != _default_port(known.tls):
        port = str(known.port)
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65_535):
        raise _invalid(asked, "port", "write 1 to 65535")
    addresses = known.addresses if host == known.host else ()
    address = ServerAddress(host, int(port), tls, addresses=addresses)
    try:
        if not re.fullmatch(r"[\w.:-]+", host) or ServerAddress.parse(str(address)) != address:
            raise AddressError
    except AddressError:
        raise _invalid(asked, "host", "write a host name or an IP address") from None
    return str(address)


def _default_port(tls: bool) -> int:
    return TLS_PORT if tls else PLAIN_PORT


def _invalid(asked: AddNetwork | ChangeNetwork, attribute: str, why: object) -> Refused:
    subcommand, netid = "ADDNETWORK", "*"
    if isinstance(asked, ChangeNetwork):
        subcommand, netid = "CHANGENETWORK", asked.netid
    text = f"Invalid attribute value: {why}"
    return refused("INVALID_ATTRIBUTE", subcommand, netid, attribute, text=text)
