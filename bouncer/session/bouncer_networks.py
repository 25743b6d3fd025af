"""BOUNCER: a client lists, changes and follows its user's networks (soju.im/bouncer-networks).

A session knows one network; all of them are the hub's, which answers and tells of changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.bouncer_networks import CAP, COMMAND, NOTIFY, Bind, parse, refused
from bouncer.irc.wire import Message
from bouncer.session.clients import Client
from bouncer.session.effects import Effects, FollowNetworks, NetworkCommand

if TYPE_CHECKING:
    from bouncer.session.session import Session


def command(session: Session, client: Client, message: Message, out: Effects) -> None:
    caps = client.dialect.caps
    if CAP not in caps:
        params = (client.nick, COMMAND, "Unknown command")
        out.tell(client.id, str(Message("421", params, session.server_name)))
        return
    asked = parse(message.params)
    if isinstance(asked, Bind):
        text = "Cannot bind to a network after registration"
        raise refused("REGISTRATION_IS_COMPLETED", "BIND", text=text)
    out.others.append(NetworkCommand(client.id, asked, session.take_label(), "batch" in caps))


def follow(client: Client, before: frozenset[str], out: Effects) -> None:
    """Its capabilities were `before`: it may want to be told of changes now, or no longer."""
    caps = client.dialect.caps
    if (NOTIFY in caps) != (NOTIFY in before):
        out.others.append(FollowNetworks(client.id, NOTIFY in caps, "batch" in caps))


def tokens(session: Session, client: Client) -> dict[str, str | None]:
    """BOUNCER_NETID, for a client that is bound to a network."""
    bound = session.network.id and CAP in client.dialect.caps
    return {"BOUNCER_NETID": str(session.network.id)} if bound else {}
