"""What must not be kept: words said to services that hold a password, codes and proofs.

They reach the network and nobody else: no history, no echo, no other client.
"""

from __future__ import annotations

from bouncer.irc.multiline import is_packed, single_lines

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

# BitlBee is told passwords of other networks too, in its control channel or by its own nick.
BITLBEE_WORDS = {
    "&bitlbee": frozenset({"identify", "register", "account"}),
    "root": frozenset({"identify", "register"}),
}

PROOF_WORDS = frozenset({"claim", "proof"})  # to an off-site agent, under any nick

# Commands that some networks offer as short cuts to the same services.
SERVICE_COMMANDS = frozenset({
    "NICKSERV", "NS", "CHANSERV", "CS", "AUTHSERV", "AS", "USERSERV", "US", "OPERSERV", "OS",
    "IDENTIFY", "OPER", "PASS", "AUTHENTICATE", "REGISTER", "VERIFY",
})  # fmt: skip


def is_secret(target: str, text: str) -> bool:
    """True for a private message that carries a password, a recovery code or a proof."""
    if is_packed(text):
        return any(is_secret(target, line) for line in single_lines(text))
    words = text.split(" ", 2)
    first = words[0].lower().lstrip("!")
    if first in PROOF_WORDS and len(words) > 1:
        return True
    name = target.lower().partition("@")[0]
    return (name in SERVICES and first in SECRET_WORDS) or first in BITLBEE_WORDS.get(name, ())
