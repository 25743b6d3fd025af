"""Who an agent is on one public network, and what tells the network's services so. Pure.

SASL where the network has it; the certificate alone means EXTERNAL, or CertFP where there is no
SASL. Everybody may see that this is a bot, and whose.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bouncer.irc.registration import Identity, SaslLogin
from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message
from fallback.config import NetworkConfig


@dataclass
class Secrets:
    """What logs us in; read from the files named in the configuration."""

    password: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)


def identity(config: NetworkConfig, secret: Secrets) -> Identity:
    """What we register with."""
    sasl = None
    if secret.certificate and not secret.password:
        sasl = SaslLogin("EXTERNAL", config.account)
    elif secret.password and config.account:
        sasl = SaslLogin("", config.account, secret.password)
    realname = f"Muster fallback bot of {config.owner}"
    return Identity(config.nick, ident="fallback", realname=realname, sasl=sasl)


def identify(config: NetworkConfig, secret: Secrets) -> list[Message]:
    """Where SASL was not to be had: tell NickServ. By a certificate it knows us by itself."""
    if not secret.password:
        return []
    words = f"IDENTIFY {config.account} {secret.password}"
    return [Message("PRIVMSG", ("NickServ", words))]


def label(state: NetworkState) -> list[Message]:
    """Bot mode, where the network has one: IRCv3 bot-mode."""
    letter = state.isupport.tokens.get("BOT")
    return [Message("MODE", (state.nick, f"+{letter}"))] if letter and len(letter) == 1 else []


def regain(config: NetworkConfig, secret: Secrets, nick: str) -> list[Message]:
    """Our usual nick back from a ghost, while we stand under another."""
    if nick == config.nick:
        return []
    lines = []
    if secret.password and config.account:
        words = f"REGAIN {config.nick} {secret.password}"
        lines.append(Message("PRIVMSG", ("NickServ", words)))
    return [*lines, Message("NICK", (config.nick,))]
