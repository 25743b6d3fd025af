"""The server's end of CAP: what is offered to one client, and what it has enabled.

Source: IRCv3 capability-negotiation, version 302. `name` is the client's nick, or `*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bouncer.irc.caps import STICKY_WITH_302, TOLD, VALUE_REQUIRED, filled, parse_caps
from bouncer.irc.wire import MAX_LINE, Message


class ClientCaps:
    """`enabled` never holds a name that was not offered, so it is as bounded as the offer."""

    def __init__(self, server_name: str, offered: Mapping[str, str]) -> None:
        self.server_name = server_name
        self.offered = dict(offered)
        self.enabled: set[str] = set()
        self.version = 0

    def ls(self, name: str, words: str) -> list[Message]:
        """Answer LS. The highest version a client names counts "for the future life of the
        connection"; the reply is by the version named now."""
        text = words.strip(" ")
        version = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
        self.version = max(self.version, version)
        if self.version >= 302 and "cap-notify" in self.offered:
            self.enabled.add("cap-notify")  # "enabled implicitly with 302"
        names = _listed(self.offered, with_values=version >= 302)
        if version >= 302:
            return self._lines(name, "LS", names)
        # Only version 302 knows a reply of several lines: what does not fit is left out.
        fitting = filled(names, self._room(name))[:1] or [""]
        return [self._line(name, "LS", fitting[0])]

    def list_enabled(self, name: str) -> list[Message]:
        return self._lines(name, "LIST", sorted(self.enabled))

    def request(self, name: str, words: str) -> list[Message]:
        """Answer REQ: "must be accepted as a whole, or rejected entirely"."""
        asked = list(parse_caps(words))
        sticky = STICKY_WITH_302 if self.version >= 302 else frozenset[str]()
        for word in asked:
            offered = word in self.offered and word not in TOLD
            known = word[1:] not in sticky if word.startswith("-") else offered
            if not known:
                return [self._line(name, "NAK", words)]
        for word in asked:
            if word.startswith("-"):
                self.enabled.discard(word[1:])
            else:
                self.enabled.add(word)
        return [self._line(name, "ACK", words)]

    def change_offer(self, name: str, offered: Mapping[str, str]) -> list[Message]:
        """Offer something else from now on: NEW and DEL, for clients that understand them."""
        new = {cap: value for cap, value in offered.items() if self.offered.get(cap) != value}
        gone = [cap for cap in self.offered if cap not in offered]
        told = self.version >= 302 or "cap-notify" in self.enabled
        self.offered = dict(offered)
        self.enabled.difference_update(gone)
        if not told:
            return []
        names = _listed(new, with_values=self.version >= 302)
        return [
            *(self._line(name, "NEW", text) for text in filled(names, self._room(name))),
            *(self._line(name, "DEL", text) for text in filled(gone, self._room(name))),
        ]

    def _lines(self, name: str, verb: str, names: Iterable[str]) -> list[Message]:
        """One line, an empty one too; several with `*` on all but the last under version 302."""
        *first, last = filled(names, self._room(name)) or [""]
        several = self.version >= 302
        return [
            *(self._line(name, verb, *(["*"] if several else []), text) for text in first),
            self._line(name, verb, last),
        ]

    def _line(self, name: str, verb: str, *params: str) -> Message:
        return Message("CAP", (name, verb, *params), self.server_name)

    def _room(self, name: str) -> int:
        head = f":{self.server_name} CAP {name} LIST * :\r\n"
        return MAX_LINE - len(head.encode("utf-8", "replace"))


def _listed(caps: Mapping[str, str], *, with_values: bool) -> list[str]:
    return [
        f"{cap}={value}" if value and with_values else cap
        for cap, value in caps.items()
        if with_values or cap not in VALUE_REQUIRED
    ]
