"""One client's MONITOR list, answered from what we know, whatever the network has.

Source: IRCv3 monitor. Pure; who is online is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bouncer.irc import numerics
from bouncer.irc.wire import MAX_LINE, Message

MAX_TARGETS = 100  # told as MONITOR=100 in 005; full: 734
MAX_NICK = 100  # characters; a longer word is no nick and is not listed

# a nick -> its mask or nick when online, '' when not, None while nobody knows
Online = Callable[[str], str | None]


class MonitorList:
    """The targets of one client by folded nick, in the spelling it used."""

    def __init__(self, fold: Callable[[str], str], limit: int = MAX_TARGETS) -> None:
        self.targets: dict[str, str] = {}
        self.limit = limit
        self._fold = fold

    def __contains__(self, nick: str) -> bool:
        return self._fold(nick) in self.targets

    def refold(self) -> None:
        """Names are folded another way from now on."""
        self.targets = {self._fold(word): word for word in self.targets.values()}

    def command(
        self, params: Sequence[str], nick: str, server_name: str, online: Online
    ) -> list[Message]:
        """Answer one MONITOR command. An unknown modifier has no answer in the specification."""
        words = params[1].split(",") if len(params) > 1 else []
        match params[0].upper() if params else "":
            case "+":
                return self._add(words, nick, server_name, online)
            case "-":
                for word in words:
                    self.targets.pop(self._fold(word), None)
            case "C":
                self.targets.clear()
            case "L":
                return [
                    *_lines(numerics.RPL_MONLIST, self.targets.values(), nick, server_name),
                    Message(numerics.RPL_ENDOFMONLIST, (nick, "End of MONITOR list"), server_name),
                ]
            case "S":
                return status(self.targets.values(), nick, server_name, online)
        return []

    def _add(
        self, words: Iterable[str], nick: str, server_name: str, online: Online
    ) -> list[Message]:
        added: list[str] = []
        too_many: list[str] = []
        for word in words:
            folded = self._fold(word)
            if not 0 < len(word) <= MAX_NICK or " " in word or folded in self.targets:
                continue
            if len(self.targets) >= self.limit:
                too_many.append(word)
                continue
            self.targets[folded] = word
            added.append(word)
        lines = status(added, nick, server_name, online)
        if too_many:
            params = (nick, str(self.limit), ",".join(too_many), "Monitor list is full.")
            lines.append(Message(numerics.ERR_MONLISTFULL, params, server_name))
        return lines


def status(nicks: Iterable[str], nick: str, server_name: str, online: Online) -> list[Message]:
    """730 for those online, 731 for the others; nothing while that is not known."""
    here: list[str] = []
    gone: list[str] = []
    for each in nicks:
        mask = online(each)
        if mask is not None:
            (here if mask else gone).append(mask or each)
    return [
        *_lines(numerics.RPL_MONONLINE, here, nick, server_name),
        *_lines(numerics.RPL_MONOFFLINE, gone, nick, server_name),
    ]


def _lines(numeric: str, words: Iterable[str], nick: str, server_name: str) -> list[Message]:
    """The words by commas, "limited only by the buffer size of 512"."""
    room = MAX_LINE - len(f":{server_name} {numeric} {nick} :\r\n".encode("utf-8", "replace"))
    lines: list[Message] = []
    text = ""
    for word in words:
        longer = f"{text},{word}" if text else word
        if text and len(longer.encode("utf-8", "replace")) > room:
            lines.append(Message(numeric, (nick, text), server_name))
            longer = word
        text = longer
    return [*lines, Message(numeric, (nick, text), server_name)] if text else lines
