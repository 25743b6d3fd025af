"""Telling clients what the network says: once for each dialect, to those that follow live."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, cast

from bouncer.irc.multiline import is_packed
from bouncer.irc.timestamps import format_time
from bouncer.irc.wire import Message
from bouncer.session import answers, stamps
from bouncer.session.effects import Effects
from bouncer.session.routing import Asked
from storage.message import Row, msgid_of

if TYPE_CHECKING:
    from bouncer.session.session import Session


def tell_untold(session: Session, out: Effects) -> None:
    """Tell the chat that has come since the last call to the clients that follow live.

    What others say in channels, line after line, is told in one go: it is the newest of `out.keep`,
    and `out.untold` has for each the line for dialects that take all tags, where the network has
    sent just that, else ''. Whatever else is told comes after this.
    """
    if not (untold := out.untold):
        return
    rows = cast("list[Row]", out.keep[-len(untold) :])  # what is no chat comes after a call
    out.untold = []
    for dialect, clients, ids in session.clients.groups:
        live = ids
        for client in clients:
            if client.live:
                client.sent_id = rows[-1].id
            else:
                live = tuple(client.id for client in clients if client.live)
        if dialect.whole and all(untold):
            lines = untold.copy()
        else:
            lines = [dialect.chat(row, format_time(row.time_ms), msgid_of(row)) for row in rows]
        if live:
            out.tell_all(live, lines)


def tell_row(session: Session, row: Row, out: Effects, said: Asked | None, *, hidden: bool) -> None:
    """Tell a kept message to the clients that follow live, rendered once for each dialect.

    `hidden` is an own private message: only some dialects can show it.
    """
    tell_untold(session, out)
    time, msgid = "", msgid_of(row)
    sender = said.asker if said is not None else None
    several = is_packed(row.text)
    for dialect, clients, _ in session.clients.groups:
        line, rest = "", list[str]()
        silent = hidden and not dialect.own_private
        for client in clients:
            if not client.live:
                if client.id == sender and not dialect.echo:
                    client.has_said(row.id)
                continue
            client.sent_id = row.id
            if silent or (client.id == sender and not dialect.echo):
                continue
            if not line:
                time = time or format_time(row.time_ms)
                if several:
                    line, *rest = dialect.several(row, time, msgid)
                else:
                    line = dialect.chat(row, time, msgid)
            if said is not None and client.id == sender and said.answer is not None:
                said.answer.say(line, out, rest, in_place=True)
            else:
                out.tell(client.id, line)
                for each in rest:
                    out.tell(client.id, each)


def event(
    session: Session,
    message: Message,
    out: Effects,
    only: int | None = None,
    to_me: bool = False,
    but: Collection[str] = (),
    echo_only: bool = False,
) -> None:
    """Relay something that is not kept, to every client or to one; to who asked as the answer.
    Clients with one of the capabilities `but` are left out."""
    if only is None and session.screened and session.screen.hides(session, message):
        return
    time_ms, msgid, tags = stamps.read(session, message.raw_tags, out)
    time, symbols = format_time(time_ms), session.state.isupport.symbols
    bare = message._replace(raw_tags=tags)
    for dialect, clients, _ in session.clients.groups:
        line = ""
        if (but and not dialect.caps.isdisjoint(but)) or (echo_only and not dialect.echo):
            continue
        for client in clients:
            if only is None or client.id == only:
                line = line or dialect.adapt(
                    bare, time, msgid, session.netsplit.of(message), to_me=to_me, symbols=symbols
                )
                if not line:
                    break
                answers.tell(session, client.id, line, out)
