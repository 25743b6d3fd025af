"""One message, said the way a client understands it. Clients of equal capabilities share the line.

Sources: IRCv3 server-time, message-tags, account-tag, echo-message, extended-join, away-notify,
account-notify, chghost, setname, invite-notify, multi-prefix, userhost-in-names.
"""

from __future__ import annotations

from collections.abc import Iterable

from bouncer.irc.multiline import batch_of, is_packed, single_lines
from bouncer.irc.split import room_for_text, split_text
from bouncer.irc.timestamps import format_time
from bouncer.irc.who import PREFIXES, first_prefix, highest_in
from bouncer.irc.wire import Message, format_tags, parse_tags
from storage.message import Row, msgid_of, own_msgid

CHAT = frozenset({"PRIVMSG", "NOTICE"})
STANDARD_REPLIES = frozenset({"FAIL", "WARN", "NOTE"})
# Capabilities that bring along the standard replies about their own command.
BRING_STANDARD = {"BATCH": "draft/multiline", "REDACT": "draft/message-redaction"}
BRING_STANDARD |= {"SETNAME": "setname"}

# Messages that a client gets only when it has asked for them.
NEEDS_CAP = {
    "AWAY": "away-notify",
    "ACCOUNT": "account-notify",
    "CHGHOST": "chghost",
    "SETNAME": "setname",
    "TAGMSG": "message-tags",
    "BATCH": "batch",
    "REDACT": "draft/message-redaction",
    "RENAME": "draft/channel-rename",
}


class Dialect:
    """What a set of enabled capabilities means for a line. Equal when the sets are equal."""

    __slots__ = (
        "account_tag",
        "batch",
        "caps",
        "echo",
        "labels",
        "message_tags",
        "multiline",
        "own_private",
        "server_time",
        "whole",
    )

    def __init__(self, caps: frozenset[str]) -> None:
        self.caps = caps
        self.server_time = "server-time" in caps or "znc.in/server-time-iso" in caps
        self.message_tags = "message-tags" in caps
        self.whole = self.server_time and self.message_tags  # a line with all its tags
        self.account_tag = "account-tag" in caps
        self.batch = "batch" in caps or "znc.in/batch" in caps
        # "depends on the batch capability which MUST be negotiated": multiline
        self.multiline = "draft/multiline" in caps and self.batch
        self.echo = "echo-message" in caps
        # "depends on the batch capability which MUST be negotiated": labeled-response
        self.labels = "labeled-response" in caps and self.batch
        # an old client shows its owner's private message as a query with themselves
        self.own_private = self.echo or "znc.in/self-message" in caps

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dialect) and self.caps == other.caps

    def __hash__(self) -> int:
        return hash(self.caps)

    def tags(self, time: str, msgid: str, raw_tags: str, extra: str = "") -> str:
        """The tag block with '@' and its space, or ''. `raw_tags` are the message's other tags."""
        if self.whole and msgid and not extra:  # most lines
            return (
                f"@time={time};msgid={msgid};{raw_tags} "
                if raw_tags
                else f"@time={time};msgid={msgid} "
            )
        parts = [extra] if extra else []
        if self.server_time:
            parts.append("time=" + time)
        if self.message_tags:
            if msgid:
                parts.append("msgid=" + msgid)
            if raw_tags:
                parts.append(raw_tags)
        elif self.account_tag and "account=" in raw_tags:
            account = parse_tags(raw_tags).get("account", "")
            if account:
                parts.append(format_tags({"account": account}))
        return f"@{';'.join(parts)} " if parts else ""

    def chat(self, row: Row, time: str, msgid: str) -> str:
        """A kept message of one line as it is said live."""
        _, _, _, name, _, _, command, source, raw_tags, addressee, text = row
        tags = self.tags(time, msgid, raw_tags)
        return f"{tags}:{source} {command} {addressee or name} :{text}"

    def page(self, rows: Iterable[Row], extra: str = "") -> list[str]:
        """Kept messages as they are played back, `extra` among the tags of each line."""
        lines: list[str] = []
        head = f"@{extra};time=" if extra else "@time="
        whole = self.whole
        for row in rows:
            number, _, _, name, time_ms, msgid, command, source, tags, addressee, text = row
            if command not in CHAT:
                if command != "TAGMSG" or self.message_tags:  # else there is nothing in it
                    lines.append(self.happening(row, extra))
            elif is_packed(text):
                time = format_time(time_ms)
                stamp = not self.server_time
                lines += self.several(row, time, msgid_of(row), extra, stamp=stamp)
            elif whole:  # most clients that read pages
                lines.append(
                    f"{head}{format_time(time_ms)};msgid={msgid or own_msgid(number)}"
                    f"{';' + tags if tags else ''} :{source} {command} {addressee or name} :{text}"
                )
            else:
                lines += self._backlog(row, extra)
        return lines

    def _backlog(self, row: Row, extra: str) -> list[str]:
        """The time is in the text where tags cannot say it."""
        time = format_time(row.time_ms)
        tags = self.tags(time, msgid_of(row), row.tags, extra)
        target = row.addressee or row.name
        texts = [row.text] if self.server_time else stamped(row, target, row.text, time)
        return [f"{tags}:{row.source} {row.command} {target} :{text}" for text in texts]

    def several(
        self, row: Row, time: str, msgid: str, extra: str = "", *, stamp: bool = False
    ) -> list[str]:
        """A kept message of several lines: a batch, or single lines where this client has none."""
        tags = self.tags(time, msgid, row.tags, extra)
        target = row.addressee or row.name
        if self.multiline:
            message = Message(row.command, (target, row.text), row.source)
            opening, *rest = batch_of(message, f"l{row.id}")
            return [f"{tags}{opening}", *map(str, rest)]
        # "Servers MUST only include a message ID on the first message of a batch"; what a client
        # has tagged was one message, too
        others = ";".join(tag for tag in row.tags.split(";") if tag[:1] != "+")
        lines = []
        for text in single_lines(row.text):
            for said in stamped(row, target, text, time) if stamp else (text,):
                lines.append(f"{tags}:{row.source} {row.command} {target} :{said}")
                tags = self.tags(time, "", others, extra)
        return lines

    def happening(self, row: Row, extra: str = "") -> str:
        """A kept event as it is played back: IRCv3 chathistory, event-playback."""
        tags = self.tags(format_time(row.time_ms), msgid_of(row), row.tags, extra)
        text = row.text
        if row.command == "JOIN" and "extended-join" not in self.caps:
            text = ""
        where = "" if row.command in ("NICK", "QUIT") else row.addressee or row.name
        return " ".join(filter(None, (f"{tags}:{row.source}", row.command, where, text)))

    def adapt(
        self,
        message: Message,
        time: str,
        msgid: str = "",
        batch: str = "",
        *,
        to_me: bool = False,
        symbols: Iterable[str] = (),
    ) -> str:
        """Any other message from the network, or '' where this client must not see it. `batch` is
        the tag of the batch that it is in, for clients that know batches; `symbols` are those of
        the network's memberships."""
        command = message.command
        needed = NEEDS_CAP.get(command)
        if needed is not None and needed not in self.caps:
            return ""
        params = message.params
        if command in STANDARD_REPLIES and takes_standard(params[0]).isdisjoint(self.caps):
            return ""
        if command == "JOIN" and "extended-join" not in self.caps:
            params = params[:1]
        elif command == "INVITE" and not to_me and "invite-notify" not in self.caps:
            return ""
        elif command == "353" and len(params) >= 4:
            params = (*params[:3], self.names(params[3], symbols))
        elif command == "352" and len(params) >= 8 and "multi-prefix" not in self.caps:
            params = (*params[:6], first_prefix(params[6], symbols), *params[7:])
        elif command == "319" and len(params) >= 3 and "multi-prefix" not in self.caps:
            params = (*params[:2], highest_in(params[2], symbols), *params[3:])
        tags = self.tags(time, msgid, message.raw_tags, batch if self.batch else "")
        return tags + str(Message(command, params, message.source))

    def names(self, text: str, symbols: Iterable[str] = ()) -> str:
        """The members of a 353 with as many prefixes, and the hosts, that this client can read."""
        all_prefixes = "multi-prefix" in self.caps
        hosts = "userhost-in-names" in self.caps
        if all_prefixes and hosts:
            return text
        out = []
        known = "".join((PREFIXES, "*.", *symbols))
        for member in text.split(" "):
            nick = member.lstrip(known)
            prefixes = member[: len(member) - len(nick)]
            if not hosts:
                nick = nick.partition("!")[0]
            out.append((prefixes if all_prefixes else prefixes[:1]) + nick)
        return " ".join(out)


def takes_standard(about: str) -> frozenset[str]:
    """The capabilities with one of which a client takes a FAIL, WARN or NOTE about a command:
    "arbitrary standard replies other than ones enabled by a specific specification" need one."""
    brings = BRING_STANDARD.get(about.upper())
    return frozenset({"standard-replies", brings} if brings else {"standard-replies"})


def stamped(row: Row, target: str, text: str, time: str) -> list[str]:
    """A text of `row` with the time of day before it, inside a CTCP ACTION where it is one. What
    finds no more room in a line of 512 octets is said in a next one."""
    head, tail = f"[{time[:10]} {time[11:19]}] ", ""
    if text.startswith("\x01ACTION "):
        text = text.removeprefix("\x01ACTION ").removesuffix("\x01")
        head, tail = f"\x01ACTION {head}", "\x01"
    room = room_for_text(row.command, target, row.source) - len(head) - len(tail)
    return [f"{head}{piece}{tail}" for piece in split_text(text, room)]
