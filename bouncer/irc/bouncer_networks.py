"""A user's networks as their clients list, change and follow them: soju.im/bouncer-networks.

A network is known by its netid, which never changes, and has attributes, written as message tags
are. What is asked becomes a value here or is refused; whether a netid exists, and whether a value
will do, is for others to say. Source: soju doc/ext/bouncer-networks.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from bouncer.irc.batch import wrap
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message, format_tags, parse_tags

CAP = "soju.im/bouncer-networks"
NOTIFY = "soju.im/bouncer-networks-notify"
COMMAND = "BOUNCER"

WRITABLE = ("name", "host", "port", "tls", "nickname", "username", "realname", "pass")
READ_ONLY = ("state", "error")

Attributes = Mapping[str, str]
Networks = Mapping[str, Attributes]  # by netid


@dataclass(frozen=True, slots=True)
class Bind:
    subcommand: ClassVar = "BIND"
    netid: str


@dataclass(frozen=True, slots=True)
class ListNetworks:
    subcommand: ClassVar = "LISTNETWORKS"


@dataclass(frozen=True, slots=True)
class AddNetwork:
    subcommand: ClassVar = "ADDNETWORK"
    attributes: Attributes = field(repr=False)  # with the password


@dataclass(frozen=True, slots=True)
class ChangeNetwork:
    subcommand: ClassVar = "CHANGENETWORK"
    netid: str
    attributes: Attributes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    subcommand: ClassVar = "DELNETWORK"
    netid: str


Asked = Bind | ListNetworks | AddNetwork | ChangeNetwork | RemoveNetwork


def parse(params: Sequence[str]) -> Asked:
    """Read the parameters of a client's BOUNCER. Raises Refused."""
    subcommand, *rest = params or [""]
    match subcommand.upper(), rest:
        case "LISTNETWORKS", _:
            return ListNetworks()
        case "BIND", [netid, *_]:
            return Bind(netid)
        case "DELNETWORK", [netid, *_]:
            return RemoveNetwork(netid)
        case "ADDNETWORK", [text, *_]:
            attributes = _attributes(text, "ADDNETWORK", "*")
            if not attributes.get("host"):
                raise refused("NEED_ATTRIBUTE", "ADDNETWORK", "host", text="It needs a host")
            return AddNetwork(attributes)
        case "CHANGENETWORK", [netid, text, *_]:
            attributes = _attributes(text, "CHANGENETWORK", netid)
            if not attributes:
                text = "Name at least one attribute"
                raise refused("NEED_ATTRIBUTE", "CHANGENETWORK", netid, text=text)
            return ChangeNetwork(netid, attributes)
        case ("BIND" | "ADDNETWORK" | "CHANGENETWORK" | "DELNETWORK") as known, _:
            raise refused("INVALID_PARAMS", known, text="Not enough parameters")
    raise refused("UNKNOWN_COMMAND", subcommand, text="Unknown subcommand")


def bind(asked: Bind, networks: Mapping[str, str] | None) -> str:
    """The name of the network to be bound to; `networks` are those of the user, names by netid,
    None where nobody has logged in yet. Raises Refused."""
    if networks is None:
        raise refused("ACCOUNT_REQUIRED", "BIND", text="Authentication required")
    if asked.netid not in networks:
        raise unknown_netid("BIND", asked.netid)
    return networks[asked.netid]


def _attributes(text: str, subcommand: str, netid: str) -> Attributes:
    attributes = parse_tags(text)
    for name in attributes:
        if name in READ_ONLY:
            raise refused(
                "READ_ONLY_ATTRIBUTE", subcommand, netid, name, text="Read-only attribute"
            )
        if name not in WRITABLE:
            raise refused("UNKNOWN_ATTRIBUTE", subcommand, netid, name, text="Unknown attribute")
    return attributes


def refused(code: str, *context: str, text: str) -> Refused:
    return Refused(COMMAND, code, *context, text=text)


def unknown_netid(subcommand: str, netid: str) -> Refused:
    return refused("INVALID_NETID", subcommand, netid, text="Network not found")


def listed(networks: Networks, source: str, reference: str) -> list[Message]:
    """All networks, as one batch; without a `reference`, for a client that has no batches, bare."""
    lines = [_network(netid, format_tags(each), source) for netid, each in networks.items()]
    return wrap(reference, CAP, (), lines, source) if reference else lines


def changed(before: Networks, after: Networks, source: str) -> list[Message]:
    """What has become of them, for clients that know `before`: the attributes that are others,
    those that are gone without a value, and `*` for a network that is gone."""
    lines = []
    for netid, attributes in after.items():
        known = before.get(netid, {})
        new = {name: value for name, value in attributes.items() if known.get(name) != value}
        new |= dict.fromkeys(known.keys() - attributes.keys(), "")
        if new:
            lines.append(_network(netid, format_tags(new), source))
    gone = [netid for netid in before if netid not in after]
    return lines + [_network(netid, "*", source) for netid in gone]


def _network(netid: str, attributes: str, source: str) -> Message:
    return Message(COMMAND, ("NETWORK", netid, attributes), source)
