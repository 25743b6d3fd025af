"""Lobby and room of one public network: joining them, keeping the room private. Pure.

Each method takes what the network said and returns what to send. `state` has taken the message in
before.
"""

from __future__ import annotations

import re

from bouncer.irc.state import OWN_WHOX, NetworkState
from bouncer.irc.wire import Message
from fallback.config import NetworkConfig
from fallback.networks.wording import lately_moved

_NOBODYS = re.compile(r"(?:is not|isn't) registered")  # Atheme, OFTC; Anope
STAYS = frozenset("rP")  # registered, permanent: such a room outlives its last member
PATIENCE = 2  # waits for a room's answer
OP_AGAIN_S = 300.0  # services may have been away, or others have taken the rights from us
ROOM_MODES = "ims"  # invite only, moderated, secret: voiced = verified


class Venue:
    """One connection's view of the place; a new connection begins with a new one."""

    def __init__(self, config: NetworkConfig, state: NetworkState) -> None:
        self.config = config
        self.state = state
        self.refused: dict[str, str] = {}  # channel -> why it does not let us in
        self._excepted = ""  # the host that may join the room uninvited
        self._asked_op = False
        self._asks_op_at = float("inf")  # again
        self._waited = 0
        self._nobodys: set[str] = set()

    def configured(self, name: str) -> str:
        """The channel as the configuration writes it, if it is ours; else as it came."""
        place = self.config
        for known in (place.lobby, place.room, place.former_lobby, place.former_room):
            if known and self.state.fold(known) == self.state.fold(name):
                return known
        return name

    @property
    def in_lobby(self) -> bool:
        return self.state.channel(self.config.lobby) is not None

    @property
    def stands(self) -> bool:
        """In lobby and room; or the room does not let us in, which must not silence the lobby."""
        room = self.state.channel(self.config.room)
        return self.in_lobby and (room is not None or self.config.room in self.refused)

    @property
    def is_op(self) -> bool:
        """Whether the room obeys us."""
        channel = self.state.channel(self.config.room)
        member = channel.members.get(self.state.folded_nick) if channel else None
        return member is not None and "@" in member.prefixes

    def moves(self, now_s: float, *, identified: bool = True) -> list[Message]:
        """JOINs of what we are not in, PARTs of a former place once its 14 days are over.

        Most channels take no line from outside, so an agent stands in the former place, too.
        `identified`: services know us, so that it is theirs to make us operator.
        """
        place = self.config
        places = [(place.lobby, ""), (place.room, place.room_key)]
        former = [name for name in (place.former_lobby, place.former_room) if name]
        moved = lately_moved(place, now_s)
        if moved:
            places += [(name, "") for name in former]
        lines = [
            Message("JOIN", (name, key) if key else (name,))
            for name, key in places
            if self.state.channel(name) is None
        ]
        if not moved:
            lines += [
                Message("PART", (name, f"moved to {place.lobby}"))
                for name in former
                if self.state.channel(name) is not None
            ]
        return lines + (self._ask_op(now_s) if identified else self._made_anew())

    def _ask_op(self, now_s: float) -> list[Message]:
        """ChanServ once more to make us operator, where its answer may be another by now."""
        if self.is_op or not self._asked_op:
            self._asked_op, self._asks_op_at = False, float("inf")
        elif self._asks_op_at == float("inf"):
            self._asks_op_at = now_s + OP_AGAIN_S
        elif now_s >= self._asks_op_at:
            self._asks_op_at = now_s + OP_AGAIN_S
            return [self._op_us]
        return []

    @property
    def _op_us(self) -> Message:
        return Message("PRIVMSG", ("ChanServ", f"OP {self.config.room} {self.state.nick}"))

    def waited(self) -> str:
        """Called after each wait for what `moves` asked: a room that has not answered for some time
        does not let us in either, whatever it says. Why, '' else."""
        room = self.config.room
        if not self.in_lobby or self.state.channel(room) is not None or room in self.refused:
            return ""
        self._waited += 1
        if self._waited < PATIENCE:
            return ""
        self.refused[room] = "it does not answer"
        return f"{room}: {self.refused[room]}"

    def _made_anew(self) -> list[Message]:
        """Whoever enters an empty room is its operator. So who is alone in it and is not, as after
        a restart where no services are, leaves it and enters again."""
        room, place = self.state.channel(self.config.room), self.config
        if room is None or self.is_op or not (room.names_complete and room.modes_known):
            return []
        if room.members.keys() != {self.state.folded_nick} or STAYS & room.modes.keys():
            return []
        key = (place.room_key,) if place.room_key else ()
        return [
            Message("PART", (place.room, "making it anew")),
            Message("JOIN", (place.room, *key)),
        ]

    def entered(self, name: str) -> list[Message]:
        """We are in: ask for its modes, and who is who where the network can tell (WHOX); in the
        room at least their hosts."""
        self.refused.pop(self.configured(name), None)
        self._waited = 0
        if self.configured(name) == self.config.room:
            self._excepted, self._asked_op = "", False
        asks = [Message("MODE", (name,))]
        if "whox" in {token.lower() for token in self.state.isupport.tokens}:
            asks.append(Message("WHO", (name, ",".join(OWN_WHOX))))
        elif self.configured(name) == self.config.room:
            asks.append(Message("WHO", (name,)))
        return asks

    def notice_seen(self, message: Message) -> None:
        """What ChanServ says of a channel: only a hint, as a nick proves nothing."""
        if len(message.params) < 2 or self.state.fold(message.nick) != self.state.fold("ChanServ"):
            return
        text = message.params[1].replace("\x02", "")
        for word in text.replace(":", " ").split():
            name = self.configured(word.rstrip("."))
            if name in (self.config.lobby, self.config.room):
                if _NOBODYS.search(text):
                    self._nobodys.add(name)
                else:
                    self._nobodys.discard(name)

    def is_nobodys(self, name: str) -> bool:
        """Whether services say that nobody has registered this channel."""
        return name in self._nobodys

    def refuses(self, message: Message, *, identified: bool) -> list[Message]:
        """A channel does not let us in: ask ChanServ for an invitation; later it is tried again."""
        name = self.configured(message.params[1])
        self.refused[name] = message.params[-1]
        if message.command == "473" and identified:
            return [Message("PRIVMSG", ("ChanServ", f"INVITE {name}"))]
        return []

    def modes_seen(self, message: Message, *, identified: bool) -> list[Message]:
        """Keep the room invite-only, moderated and secret, once it obeys us."""
        room = self.state.channel(self.config.room)
        about = {self.configured(name) for name in message.params[:2]}
        if room is None or self.config.room not in about or not room.modes_known:
            return []
        if not self.is_op:
            if identified and not self._asked_op:
                self._asked_op = True
                return [self._op_us]
            return []
        lines = self._let_us_back_in()
        missing = "".join(letter for letter in ROOM_MODES if letter not in room.modes)
        if missing:
            lines.append(Message("MODE", (self.config.room, f"+{missing}")))
            room.modes.update(dict.fromkeys(missing))  # so as not to ask twice
        return lines

    def _let_us_back_in(self) -> list[Message]:
        """An invite exception for our own host, so that a restarted agent can join again."""
        state = self.state
        letter = state.isupport.tokens.get("INVEX", "") or "I"
        if not state.host or "INVEX" not in state.isupport.tokens or self._excepted == state.host:
            return []
        self._excepted = state.host
        mask = f"*!{state.user}@{state.host}"
        return [Message("MODE", (self.config.room, f"+{letter}", mask))]
