"""What clients get in place of what they have not negotiated. Each says which do not get it.

Sources: IRCv3 chghost, standard-replies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bouncer.irc.wire import Message
from bouncer.session.dialect import STANDARD_REPLIES, takes_standard

if TYPE_CHECKING:
    from bouncer.session.session import Session


class Fallback(NamedTuple):
    """`message` is for clients that have none of the capabilities `but`."""

    message: Message
    but: frozenset[str]


def of(session: Session, message: Message) -> list[Fallback]:
    """To be asked before the state takes the message."""
    if message.command == "CHGHOST" and len(message.params) >= 2:
        return _moved(session, message)
    if message.command in STANDARD_REPLIES and len(message.params) >= 3:
        # a client that does not know them can still show their words to its user
        about, text = message.params[0], message.params[-1]
        said = text if about == "*" else f"{about}: {text}"
        notice = message._replace(command="NOTICE", params=(session.state.nick, said))
        return [Fallback(notice, takes_standard(about))]
    return []


def _moved(session: Session, message: Message) -> list[Fallback]:
    """chghost: "servers SHOULD send fallback messages to simulate the client reconnecting [...] the
    simulated events SHOULD include appropriate QUIT, JOIN and MODE commands, to restore membership
    and user channel modes". To oneself, whom no other client is, nothing."""
    state = session.state
    user = state.user_named(message.nick)
    if user is None or state.is_me(message.nick):
        return []
    folded = state.fold(message.nick)
    shared = [
        channel
        for folded_name, channel in state.channels.items()
        if folded in channel.members and not session.screen.is_detached(folded_name)
    ]
    if not shared:
        return []
    source = f"{message.nick}!{message.params[0]}@{message.params[1]}"
    lines = [message._replace(command="QUIT", params=("Changing host",))]
    for channel in shared:
        params = (channel.name, user.account or "*", user.realname)
        lines.append(message._replace(command="JOIN", params=params, source=source))
        letters = "".join(
            letter
            for letter, symbol in state.isupport.prefix.items()
            if symbol in channel.members[folded].prefixes
        )
        if letters:
            modes = (channel.name, f"+{letters}", *[message.nick] * len(letters))
            server = state.server or session.server_name
            lines.append(message._replace(command="MODE", params=modes, source=server))
    return [Fallback(line, frozenset({"chghost"})) for line in lines]
