"""A line as a log may show it: its form, and neither what people say nor what is secret.

What is shown stands in a table: of a command that is not in it nothing but its name.
"""

from __future__ import annotations

from collections.abc import Mapping

from bouncer.irc.wire import Message, ProtocolError, format_tags

_ALL = 100  # parameters
_SHOWN: Mapping[str, int] = {
    **dict.fromkeys((
        "ACCOUNT", "BATCH", "CAP", "CHATHISTORY", "CHGHOST", "ERROR", "FAIL", "ISON", "ISUPPORT",
        "LIST", "LUSERS", "MARKREAD", "MONITOR", "MOTD", "NAMES", "NICK", "NOTE", "PING", "PONG",
        "READ", "USERHOST", "VERSION", "WARN", "WHO", "WHOIS", "WHOWAS",
    ), _ALL),
    **dict.fromkeys((
        "BOUNCER", "JOIN", "NOTICE", "OPER", "PART", "PRIVMSG", "TAGMSG", "TOPIC", "USER",
        "WEBPUSH",
    ), 1),
    **dict.fromkeys(("INVITE", "KICK", "METADATA", "REDACT"), 2),
    "301": 2,  # why somebody is away
    "332": 2,  # a topic
    "322": 3,  # topics
    "696": 3,  # a mode's argument that a server did not take: a key, it may be
}  # fmt: skip
_MECHANISMS = frozenset({"PLAIN", "EXTERNAL", "SCRAM-SHA-256", "+", "*"})
_TAGS = frozenset({"account", "batch", "label", "msgid", "time"})
_MODES = {"MODE": 1, "324": 2}  # where in them the modes stand; what follows may hold a key
LEFT_OUT = "…"
MAX_SHOWN = 400  # characters


def masked(line: str) -> str:
    """Total: whatever comes has a line to stand for it."""
    try:
        message = Message.parse(line)
    except ProtocolError:
        return f"({len(line)} characters that are no message)"
    shown = _shown(message)
    words = [f":{message.source}"] if message.source else []
    words += [message.command, *message.params[:shown]]
    if shown < len(message.params):
        words.append(LEFT_OUT)
    tags = {name: value for name, value in message.tags.items() if name in _TAGS}
    text = " ".join([f"@{format_tags(tags)}", *words] if tags else words)
    return text[:MAX_SHOWN]


def _shown(message: Message) -> int:
    """How many of the parameters."""
    command, params = message.command, message.params
    if command in _MODES:
        place = _MODES[command]  # later words are modes, too, where a sign says so
        for at, word in enumerate(params[place:], place):
            if "k" in word and (at == place or word[0] in "+-"):
                return at + 1
        return _ALL
    if command == "AUTHENTICATE":
        return 1 if params[:1] and params[0] in _MECHANISMS else 0
    if command == "FAIL" and params[:1] == ("WEBPUSH",):
        return 3  # who knows the endpoint may write to it: RFC 8030 section 8.3
    return _SHOWN.get(command, _ALL if command.isdecimal() else 0)
