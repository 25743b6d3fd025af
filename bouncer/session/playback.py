"""What a client missed, said in its own dialect; it goes live when nothing is left to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.session.clients import Client
from bouncer.session.effects import Effects, PlayBack
from bouncer.session.events import PageRead
from storage.message import Row
from storage.records import Channel

if TYPE_CHECKING:
    from bouncer.session.session import Session

# "if a client requests this capability, the server (or bouncer) SHOULD NOT play back any history
# that would otherwise be sent automatically": chathistory. Some request it and never ask.
FETCHING = frozenset({"draft/chathistory", "znc.in/playback"})


def play(session: Session, client: Client, page: PageRead, out: Effects) -> None:
    """Say one page of the backlog and ask for the next one, or let the client follow live."""
    if page.target:
        _play_missed(session, client, page, out)
        return
    if client.live:
        _play_owed(session, client, page, out)
        return
    rows = [row for row in page.rows if row.id not in client.said]
    out.tell_lines(client.id, said(session, client, rows))
    if page.rows:
        client.sent_id = page.rows[-1].id
    if not page.more:
        client.sent_id = max(client.sent_id, page.upto_id)
    # Rows kept since the page was read are on their way to the disk: they come with the next page.
    client.live = not page.more and client.sent_id >= session.last_kept_id
    if client.live:
        client.said.clear()
        client.sent_id = max(client.sent_id, client.shown_id)
    else:
        out.others.append(PlayBack(client.id, client.sent_id, session.last_kept_id))


def _play_missed(session: Session, client: Client, page: PageRead, out: Effects) -> None:
    """Of a channel that was detached; all that came after it, then."""
    out.tell_lines(client.id, said(session, client, page.rows))
    if client.awaits == page.target:
        client.awaits = ""
        out.others.append(PlayBack(client.id, client.sent_id, session.last_kept_id))


def _play_owed(session: Session, client: Client, page: PageRead, out: Effects) -> None:
    """A client that follows live already gets what it could have fetched."""
    if client.owed is None:  # it has begun to fetch
        return
    upto_id = client.owed[1]
    rows = [row for row in page.rows if row.id <= upto_id]
    out.tell_lines(client.id, said(session, client, rows))
    if page.more and len(rows) == len(page.rows):
        client.owed = rows[-1].id, upto_id
        out.others.append(PlayBack(client.id, *client.owed))
    else:
        client.fetched()


def begin(session: Session, client: Client, known_id: int, out: Effects) -> None:
    """Play back what the client missed: first of channels that it was not shown when it was last
    here, and that were attached again while it was gone."""
    for target, channel in session.screen.settings.items():
        if not channel.detached and channel.detached_id < known_id < channel.attached_id:
            out.others.append(PlayBack(client.id, channel.detached_id, known_id, target))
            client.awaits = target
            client.shown_id = max(client.shown_id, channel.attached_id)
    if not client.awaits:
        out.others.append(PlayBack(client.id, known_id, session.last_kept_id))


def catch_up(session: Session, client: Client, target: str, channel: Channel, out: Effects) -> None:
    """Play back what a client missed of a channel (folded) that is attached again; what is said
    from now on comes after it."""
    detached_id, upto_id = channel.detached_id, client.has_id
    client.shown_id = channel.attached_id
    if client.shown_id == session.last_kept_id:  # this attaches it, and is told next
        client.shown_id -= 1
    if client.live:
        client.sent_id = max(client.sent_id, client.shown_id)
    if client.began is None or (FETCHING & client.dialect.caps and not client.played):
        return
    known_id, came_id = client.began
    after_id = detached_id if came_id < detached_id else min(known_id, detached_id)
    if after_id >= upto_id:
        return
    out.others.append(PlayBack(client.id, after_id, upto_id, target))
    if client.live and client.owed is None:
        client.live, client.awaits = False, target


def said(session: Session, client: Client, rows: list[Row]) -> list[str]:
    """The rows in the client's dialect, without those that it could not show."""
    rows = session.screen.shown(rows) if session.screened else rows
    return conversations(session, client, rows, "chathistory")


def _may_see(session: Session, client: Client, row: Row) -> bool:
    """An old client cannot show its owner's own private messages: it would take them for a
    query with themselves."""
    if client.dialect.own_private or session.state.isupport.is_channel(row.name):
        return True
    return session.state.fold(row.source.partition("!")[0]) == row.target


def conversations(session: Session, client: Client, rows: list[Row], kind: str) -> list[str]:
    """The same, with one batch of this kind for each conversation where the client knows batches:
    IRCv3 batch, chathistory batch type."""
    rows = [row for row in rows if _may_see(session, client, row)]
    if not client.dialect.batch:
        return client.dialect.page(rows)
    by_target: dict[str, list[Row]] = {}
    for row in rows:
        by_target.setdefault(row.target, []).append(row)
    lines = []
    for own_rows in by_target.values():
        reference = f"b{own_rows[0].id}"
        lines.append(f":{session.server_name} BATCH +{reference} {kind} {own_rows[0].name}")
        lines += client.dialect.page(own_rows, f"batch={reference}")
        lines.append(f":{session.server_name} BATCH -{reference}")
    return lines
