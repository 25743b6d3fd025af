"""Lines of a network, and a state that has heard them."""

from __future__ import annotations

from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message

GREETING = """\
:irc.example 001 me :Welcome to the Example network me!ident@host.example
:irc.example 004 me irc.example v1.0 iosw biklmnopstv bkloveI
:irc.example 005 me CHANTYPES=# PREFIX=(ov)@+ CHANMODES=beI,k,l,imnpst NETWORK=Example \
:are supported by this server
:irc.example 375 me :- irc.example Message of the day -
:irc.example 372 me :- hello
:irc.example 376 me :End of /MOTD command
:me MODE me :+i"""

ENTERING = """\
:me!ident@host.example JOIN #ops
:irc.example 332 me #ops :Keep calm
:irc.example 333 me #ops alice!a@h 1700000000
:irc.example 353 me = #ops :me @alice
:irc.example 353 me = #ops :+bob
:irc.example 366 me #ops :End of /NAMES list."""


def network(*dialogues: str) -> NetworkState:
    state = NetworkState("me")
    for dialogue in dialogues:
        says(state, dialogue)
    return state


def says(state: NetworkState, dialogue: str, now_s: int = 0) -> None:
    for line in dialogue.split("\n"):
        state.receive(Message.parse(line), now_s)
