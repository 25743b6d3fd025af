"""What a client missed, said in its own dialect; it goes live when nothing is left to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.session.clients import Client
from bouncer.session.effects import Effects, PlayBack
from bouncer.session.events import PageRead
from storage.messages import Row

if TYPE_CHECKING:
    from bouncer.session.session import Session


def play(session: Session, client: Client, page: PageRead, out: Effects) -> None:
    """Say one page of the backlog and ask for the next one, or let the client follow live."""
    rows = [row for row in page.rows if _may_see(session, client, row)]
    for line in _batched(client, rows) if client.dialect.batch else _plain(client, rows):
        out.tell(client.id, line)
    if page.rows:
        client.sent_id = page.rows[-1].id
    if not page.more:
        client.sent_id = max(client.sent_id, page.upto_id)
    # Rows kept since the page was read are on their way to the disk: they come with the next page.
    client.live = not page.more and client.sent_id >= session.last_kept_id
    if not client.live:
        out.others.append(PlayBack(client.id, client.sent_id, session.last_kept_id))


def _may_see(session: Session, client: Client, row: Row) -> bool:
    """An old client cannot show its owner's own private messages: it would take them for a
    query with themselves."""
    if client.dialect.own_private or session.state.isupport.is_channel(row.name):
        return True
    return session.state.fold(row.source.partition("!")[0]) == row.target


def _plain(client: Client, rows: list[Row]) -> list[str]:
    return [client.dialect.backlog(row) for row in rows]


def _batched(client: Client, rows: list[Row]) -> list[str]:
    """One `chathistory` batch for each conversation: IRCv3 batch, chathistory batch type."""
    conversations: dict[str, list[Row]] = {}
    for row in rows:
        conversations.setdefault(row.target, []).append(row)
    lines = []
    for own_rows in conversations.values():
        reference = f"b{own_rows[0].id}"
        lines.append(f":{client.nick} BATCH +{reference} chathistory {own_rows[0].name}")
        lines += [client.dialect.backlog(row, f"batch={reference}") for row in own_rows]
        lines.append(f":{client.nick} BATCH -{reference}")
    return lines
