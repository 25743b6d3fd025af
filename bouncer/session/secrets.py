"""What must not be kept: words said to services that hold a password, codes and proofs.

They reach the network and nobody else: no history, no echo, no other client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bouncer.irc.multiline import is_packed, single_lines
from bouncer.irc.wire import Message

SERVICES = frozenset({
    "nickserv", "chanserv", "authserv", "userserv", "operserv", "saslserv", "memoserv", "q", "x",
    "q@cserve.quakenet.org", "x@channels.undernet.org", "authserv@services.gamesurge.net",
    "nickserv@services.", "ns",
})  # fmt: skip

# The first word of a command to services that carries a secret.
SECRET_WORDS = frozenset({
    "identify", "id", "login", "auth", "register", "ghost", "recover", "release", "regain",
    "group", "set", "setpass", "sidentify", "newpass", "password", "drop", "confirm", "verify",
    "cert", "access", "update", "resetpass", "sendpass",
})  # fmt: skip

# BitlBee is told passwords of other networks too, in its control channel or by its own nick: by
# these commands, each with the shortest beginning that no other has.
_LOGINS = {"id": "identify", "reg": "register"}
BITLBEE_WORDS = {"&bitlbee": _LOGINS | {"ac": "account"}, "root": _LOGINS}

PROOF_WORDS = frozenset({"claim", "proof"})  # to an off-site agent, under any nick

LOGIN_COMMANDS = frozenset({"IDENTIFY", "OPER", "PASS", "AUTHENTICATE", "REGISTER", "VERIFY"})

# Commands that some networks offer as short cuts to the same services.
SERVICE_COMMANDS = LOGIN_COMMANDS | {
    "NICKSERV", "NS", "CHANSERV", "CS", "AUTHSERV", "AS", "USERSERV", "US", "OPERSERV", "OS",
}  # fmt: skip


def is_secret(target: str, text: str) -> bool:
    """True for a private message that carries a password, a recovery code or a proof."""
    if is_packed(text):
        return any(is_secret(target, line) for line in single_lines(text))
    words = text.lower().split(maxsplit=2)  # services skip spaces before a command, too
    first = words[0].lstrip("!") if words else ""
    if first in PROOF_WORDS and len(words) > 1:
        return True
    name = target.lower().partition("@")[0]
    if name in BITLBEE_WORDS:
        return _is_for_bitlbee(words, BITLBEE_WORDS[name])
    return name in SERVICES and first in SECRET_WORDS


def is_secret_line(message: Message) -> bool:
    """The same for a whole line to a network."""
    command, params = message.command, message.params
    if command in ("PRIVMSG", "NOTICE"):
        return len(params) > 1 and any(is_secret(each, params[1]) for each in params[0].split(","))
    if command in LOGIN_COMMANDS:
        return bool(params)
    return command in SERVICE_COMMANDS and is_secret("nickserv", " ".join(params))


def _is_for_bitlbee(words: Sequence[str], secret: Mapping[str, str]) -> bool:
    """In its control channel a command may stand after its nick."""
    first, *rest = words or [""]
    if first in ("root:", "root,"):
        first = rest[0] if rest else ""
    return any(first.startswith(least) and word.startswith(first) for least, word in secret.items())
