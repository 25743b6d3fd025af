"""METADATA: what the user's clients note about conversations for each other, pinned or muted.

It belongs to the user alone, and never reaches the network. Sources: IRCv3 metadata, version 2;
soju's metadata keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bouncer.irc.caps import METADATA_SUBS
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message
from bouncer.session.clients import Client
from bouncer.session.effects import Effects, KeepMark
from bouncer.session.folding import Fold
from bouncer.session.unbound import is_unbound

if TYPE_CHECKING:
    from bouncer.session.session import Session

CAP = "draft/metadata-2"
KEYS = frozenset({"soju.im/pinned", "soju.im/muted", "soju.im/blocked"})
VALUES = frozenset({"0", "1"})
MAX_TARGETS = 5_000  # conversations with something noted; full: no other can be
_KEY = re.compile(r"[a-z0-9_./-]{1,100}\Z")
RPL_KEYVALUE, RPL_KEYNOTSET = "761", "766"
RPL_METADATASUBOK, RPL_METADATAUNSUBOK, RPL_METADATASUBS = "770", "771", "772"


class Marks:
    """What is noted: by folded target the name and the values by key."""

    def __init__(self, known: Mapping[tuple[str, str], str]) -> None:
        self._values: dict[str, dict[str, str]] = {}
        self._names: dict[str, str] = {}  # as clients wrote them
        for (target, key), value in known.items():
            self._values.setdefault(target, {})[key] = value

    def of(self, target: str) -> Mapping[str, str]:
        return self._values.get(target, {})

    def name_of(self, target: str) -> str:
        return self._names.get(target, target)

    def all(self) -> Iterable[tuple[str, Mapping[str, str]]]:
        """(name, values by key)"""
        return [(self.name_of(target), values) for target, values in self._values.items()]

    def refold(self, refold: Fold) -> None:
        """The network folds names otherwise than before."""
        values, self._values = self._values, {}
        for target, noted in values.items():
            self._values.setdefault(refold(target), {}).update(noted)
        self._names = {refold(target): name for target, name in self._names.items()}

    def put(self, target: str, name: str, key: str, value: str) -> bool:
        """Note it; '' removes. False where there is no room."""
        if target not in self._values and len(self._values) >= MAX_TARGETS:
            return False
        self._names[target] = name
        values = self._values.setdefault(target, {})
        if value:
            values[key] = value
        else:
            values.pop(key, None)
        if not values:
            del self._values[target]
            self._names.pop(target, None)
        return True


def command(session: Session, client: Client, message: Message, out: Effects) -> None:
    """`METADATA <target> <subcommand> [<param>…]`"""
    name, subcommand, *params = message.params
    row = _SUBCOMMANDS.get(subcommand.upper())
    if row is None:
        raise Refused("METADATA", "SUBCOMMAND_INVALID", subcommand, text="Invalid subcommand")
    for line in row(session, client, session.canonical(name), [*params], out):
        out.tell(client.id, str(line))


def greeting(session: Session, client: Client) -> list[Message]:
    """ "If none exists, the server MUST send an empty batch instead." """
    return _batch(session, client.nick, []) if CAP in client.dialect.caps else []


Lines = list[Message]


def _get(session: Session, client: Client, name: str, keys: list[str], _out: Effects) -> Lines:
    values = _values(session, name)
    lines = []
    for key in keys:
        if not _KEY.match(key):
            lines.append(_invalid(key).reply(session.server_name))
        elif key in values:
            lines.append(_value(session, client, name, key, values[key]))
        else:
            lines.append(_not_set(session, client, name, key))
    return _batch(session, name, lines)


def _list(session: Session, client: Client, name: str, _params: list[str], _out: Effects) -> Lines:
    values = _values(session, name)
    lines = [_value(session, client, name, key, value) for key, value in sorted(values.items())]
    return _batch(session, name, lines)


def _set(session: Session, client: Client, name: str, params: list[str], out: Effects) -> Lines:
    key, value = (*params, "", "")[:2]
    if not _KEY.match(key):
        raise _invalid(key)
    if key not in KEYS or name == "*" or session.state.is_me(name) or is_unbound(session):
        raise _no_permission(name, key)
    if value and value not in VALUES:
        raise Refused("METADATA", "VALUE_INVALID", text="The value is 0 or 1")
    if not value and key not in _values(session, name):
        return [_not_set(session, client, name, key)]
    return [_change(session, client, name, key, value, out)]


def _clear(session: Session, client: Client, name: str, _params: list[str], out: Effects) -> Lines:
    lines = [_change(session, client, name, key, "", out) for key in sorted(_values(session, name))]
    return _batch(session, name, lines)


def rename(session: Session, target: str, new_target: str, new_name: str, out: Effects) -> None:
    """A conversation is called otherwise now: what is noted of it goes along. What is noted under
    the new name already stays."""
    name = session.marks.name_of(target)
    noted = sorted(session.marks.of(target).items())
    for key, _ in noted:  # all of it first: that makes room
        _put(session, target, name, key, "", out)
    known = session.marks.of(new_target)
    for key, value in noted:
        if key not in known:
            _put(session, new_target, new_name, key, value, out)


def _put(
    session: Session, target: str, name: str, key: str, value: str, out: Effects, but: int = 0
) -> None:
    """Note it here and in the store, and tell the user's clients, but for one."""
    if not session.marks.put(target, name, key, value):
        raise Refused("METADATA", "LIMIT_REACHED", name, text="Too much is noted already")
    out.others.append(KeepMark(target, key, value))
    words = (name, key, "*", *([value] if value else []))
    told = str(Message("METADATA", words, session.server_name))
    for client in session.clients.by_id.values():
        if client.id != but and key in client.subscriptions:
            out.tell(client.id, told)


def _change(
    session: Session, client: Client, name: str, key: str, value: str, out: Effects
) -> Message:
    _put(session, session.target(name).folded, name, key, value, out, client.id)
    if value:
        return _value(session, client, name, key, value)
    return _not_set(session, client, name, key)


def _sub(session: Session, client: Client, _name: str, keys: list[str], _out: Effects) -> Lines:
    """ "The server MUST process each key in order" """
    lines: Lines = []
    taken: list[str] = []
    for key in keys:
        if not _KEY.match(key):
            lines.append(_invalid(key).reply(session.server_name))
        elif key in client.subscriptions or len(client.subscriptions) < METADATA_SUBS:
            client.subscriptions.add(key)
            taken.append(key)
        else:
            full = Refused("METADATA", "TOO_MANY_SUBS", key, text="Too many subscriptions")
            lines.append(full.reply(session.server_name))
            break
    if taken:
        lines.insert(0, _numeric(session, client, RPL_METADATASUBOK, *taken))
    return [*lines, *_told(session, taken)]


def _told(session: Session, keys: Sequence[str]) -> Lines:
    """ "When subscribing to a key, clients SHOULD receive the current value of that key" """
    return [
        Message("METADATA", (name, key, "*", values[key]), session.server_name)
        for name, values in session.marks.all()
        for key in keys
        if key in values
    ]


def _unsub(session: Session, client: Client, _name: str, keys: list[str], _out: Effects) -> Lines:
    invalid = [_invalid(key).reply(session.server_name) for key in keys if not _KEY.match(key)]
    valid = [key for key in keys if _KEY.match(key)]
    client.subscriptions.difference_update(valid)
    return [*([_numeric(session, client, RPL_METADATAUNSUBOK, *valid)] if valid else []), *invalid]


def _subs(session: Session, client: Client, _name: str, _keys: list[str], _out: Effects) -> Lines:
    if not client.subscriptions:
        return []
    return [_numeric(session, client, RPL_METADATASUBS, *sorted(client.subscriptions))]


def _sync(session: Session, client: Client, name: str, _keys: list[str], _out: Effects) -> Lines:
    lines = [
        Message("METADATA", (name, key, "*", value), session.server_name)
        for key, value in sorted(_values(session, name).items())
        if key in client.subscriptions
    ]
    return _batch(session, name, lines)


_SUBCOMMANDS = {
    "GET": _get,
    "LIST": _list,
    "SET": _set,
    "CLEAR": _clear,
    "SUB": _sub,
    "UNSUB": _unsub,
    "SUBS": _subs,
    "SYNC": _sync,
}


def _values(session: Session, name: str) -> Mapping[str, str]:
    return session.marks.of(session.target(name).folded)


def _numeric(session: Session, client: Client, numeric: str, *params: str) -> Message:
    return Message(numeric, (client.nick, *params), session.server_name)


def _value(session: Session, client: Client, name: str, key: str, value: str) -> Message:
    return _numeric(session, client, RPL_KEYVALUE, name, key, "*", value)


def _not_set(session: Session, client: Client, name: str, key: str) -> Message:
    return _numeric(session, client, RPL_KEYNOTSET, name, key, "key not set")


def _batch(session: Session, name: str, lines: Lines) -> Lines:
    """ "This batch MUST be sent to clients on connection and as reply to successful" commands."""
    reference, source = session.reference(), session.server_name
    inside = [line.with_tags({"batch": reference}) for line in lines]
    opening = Message("BATCH", (f"+{reference}", "metadata", name), source)
    return [opening, *inside, Message("BATCH", (f"-{reference}",), source)]


def _invalid(key: str) -> Refused:
    return Refused("METADATA", "KEY_INVALID", key, text="Invalid key")


def _no_permission(name: str, key: str) -> Refused:
    text = "Only what concerns the display of a conversation is kept here"
    return Refused("METADATA", "KEY_NO_PERMISSION", name, key, text=text)
