"""FAIL, as a value that a parser raises and a reply that a client is sent.

Source: IRCv3 standard-replies: `FAIL <command> <code> [<context>...] <description>`.
"""

from __future__ import annotations

from bouncer.irc.wire import Message, ProtocolError

MAX_CONTEXT = 100  # characters of what a client sent that are said back to it


class Refused(ProtocolError):
    """A command that cannot be done as it was sent. Its text is the description."""

    def __init__(self, command: str, code: str, *context: str, text: str) -> None:
        super().__init__(text)
        self.command = command
        self.code = code
        self.context = tuple(_word(word) for word in context)

    def reply(self, server_name: str) -> Message:
        params = (self.command, self.code, *self.context, str(self))
        return Message("FAIL", params, server_name)


def _word(text: str) -> str:
    return text[:MAX_CONTEXT].replace(" ", "_").lstrip(":") or "*"
