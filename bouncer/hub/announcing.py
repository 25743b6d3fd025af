"""The user's networks as their clients see them: listed, changed by command, told when they change.

What is told is how things stand at that moment, so that a client that adds up what it hears is
right. Changes go through the control commands like everybody's. Source: soju.im/bouncer-networks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import count

from bouncer.connections.dial import ServerAddress
from bouncer.connections.upstream import State
from bouncer.control.bouncer_networks import adding, changing
from bouncer.control.grammar import ControlError
from bouncer.hub.attachment import Attachment, Link
from bouncer.irc import bouncer_networks
from bouncer.irc.bouncer_networks import (
    COMMAND,
    AddNetwork,
    ChangeNetwork,
    Networks,
    RemoveNetwork,
)
from bouncer.irc.labels import labelled
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message
from bouncer.session.effects import FollowNetworks, NetworkCommand

MAX_ERROR = 200  # characters: with the other attributes it has to fit into a line
_STATES = {State.CONNECTED: "connected", State.CONNECTING: "connecting"}

CarryOut = Callable[[list[str]], Awaitable[object]]  # a control command; raises ControlError


class Announcing:
    """`links` are the networks by name, `clients` those to tell, `tell` puts lines to one."""

    def __init__(
        self,
        links: Mapping[str, Link],
        clients: Mapping[int, Attachment],
        tell: Callable[[int, list[str]], None],
        server_name: str,
    ) -> None:
        self._links = links
        self._clients = clients
        self._tell = tell
        self._server_name = server_name
        self._told: Networks = {}  # as long as somebody follows
        self._references = count(1)
        self._answering = 0  # the client whose command is being carried out; 0 for none
        self._dismissed = ""  # why it is dropped, once it has its answer

    def changed(self) -> None:
        """Something may have changed: tell those who follow what has."""
        followers = [client for client in self._clients.values() if client.follows_networks]
        if not followers:
            return
        before, self._told = self._told, self._now()
        told = bouncer_networks.changed(before, self._told, self._server_name)
        for client in followers:
            if told:
                self._tell(client.id, [str(message) for message in told])

    def follow(self, wish: FollowNetworks) -> None:
        """From now on, or no longer, tell a client of changes; it begins with the whole list."""
        client = self._clients.get(wish.client)
        if client is not None:
            self.changed()  # the others hear of it before
            client.follows_networks = wish.follows
            if wish.follows:
                self._told = self._now()
                self._say(client.id, self._listed(batched=wish.batched), "")

    async def answer(self, command: NetworkCommand, carry_out: CarryOut) -> None:
        """Do what a client asks, and answer it."""
        self._answering, self._dismissed = command.client, ""
        try:
            messages = await self._answer(command, carry_out)
        except Refused as refused:
            messages = [refused.reply(self._server_name)]
        finally:
            self._answering = 0
        self._say(command.client, messages, command.label)
        client = self._clients.get(command.client)
        if self._dismissed and client is not None:
            client.drop(self._dismissed)

    def dismiss(self, link: Link) -> None:
        """Drop the clients of a network that was removed; who removed it hears its answer first."""
        reason = f"The network {link.session.network.name} was removed"
        for client_id in link.session.clients.by_id:
            if client_id == self._answering:
                self._dismissed = reason
            else:
                self._clients[client_id].drop(reason)

    def refuse(self, command: NetworkCommand, why: str) -> None:
        """Answer a command that cannot be done now."""
        refused = bouncer_networks.refused("UNKNOWN_ERROR", command.asked.subcommand, text=why)
        self._say(command.client, [refused.reply(self._server_name)], command.label)

    async def _answer(self, command: NetworkCommand, carry_out: CarryOut) -> list[Message]:
        match command.asked:
            case AddNetwork() as asked:
                name, words = adding(asked)
                await _carry_out(carry_out, words, "ADDNETWORK")
                netid = next(n for n, known in self.names().items() if known == name)
                return [self._done("ADDNETWORK", netid)]
            case ChangeNetwork(netid) as asked:
                network = self._link("CHANGENETWORK", netid).session.network
                words = changing(asked, network.name, network.uri)
                await _carry_out(carry_out, words, "CHANGENETWORK", netid)
                return [self._done("CHANGENETWORK", netid)]
            case RemoveNetwork(netid):
                name = self._link("DELNETWORK", netid).session.network.name
                words = ["network", "remove", "--", name]
                await _carry_out(carry_out, words, "DELNETWORK", netid)
                return [self._done("DELNETWORK", netid)]
        return self._listed(batched=command.batched)

    def names(self) -> dict[str, str]:
        """The names of the networks by netid."""
        return {_netid(link): name for name, link in self._links.items()}

    def _link(self, subcommand: str, netid: str) -> Link:
        for link in self._links.values():
            if _netid(link) == netid:
                return link
        raise bouncer_networks.unknown_netid(subcommand, netid)

    def _now(self) -> Networks:
        return {_netid(link): _attributes(link) for _, link in sorted(self._links.items())}

    def _listed(self, *, batched: bool) -> list[Message]:
        reference = f"networks{next(self._references)}" if batched else ""
        return bouncer_networks.listed(self._now(), self._server_name, reference)

    def _done(self, subcommand: str, netid: str) -> Message:
        return Message(COMMAND, (subcommand, netid), self._server_name)

    def _say(self, client: int, messages: list[Message], label: str) -> None:
        if label:
            reference = f"networks{next(self._references)}"
            messages = labelled(label, messages, self._server_name, reference)
        self._tell(client, [str(message) for message in messages])


async def _carry_out(carry_out: CarryOut, words: list[str], *context: str) -> None:
    try:
        await carry_out(words)
    except ControlError as error:
        raise bouncer_networks.refused("UNKNOWN_ERROR", *context, text=str(error)) from None


def _netid(link: Link) -> str:
    return str(link.session.network.id)


def _attributes(link: Link) -> dict[str, str]:
    """Of one network, with neither its password nor what is empty."""
    network, upstream = link.session.network, link.upstream
    shown = {
        "name": network.name,
        "state": _STATES.get(upstream.state, "disconnected") if upstream else "disconnected",
        "error": upstream.error[:MAX_ERROR] if upstream else "",
        "nickname": network.nick,
        "username": network.ident,
        "realname": network.realname,
    }
    address = _address(network.uri)
    if address is not None and not address.path:
        tls = "1" if address.tls else "0"
        shown |= {"host": address.host, "port": str(address.port), "tls": tls}
    return {name: value for name, value in shown.items() if value}


def _address(uri: str) -> ServerAddress | None:
    try:
        return ServerAddress.parse(uri)
    except ValueError:
        return None  # an imported one that cannot be read: its state says why
