"""A channel that is called otherwise from now on: wanted and shown under its new name, with its
settings, and with what was said before and noted of it. Source: IRCv3 channel-rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session import answers, arrival, marks, metadata
from bouncer.session.effects import Effects, RenameChannel
from bouncer.session.telling import event
from storage.message import Renamed

if TYPE_CHECKING:
    from bouncer.session.session import Session

CAP = "draft/channel-rename"


def heard(session: Session, message: Message, out: Effects) -> None:
    """The network has renamed a channel that we are in."""
    name, new, *_ = (*message.params, "", "")
    channel = session.state.channel(name)
    session.state.receive(message)
    if channel is None or channel.name != new:  # not ours, or no name at all
        return
    is_hidden = session.screen.is_detached(session.state.fold(name))
    _move(session, name, new, out)
    if is_hidden:
        return
    if session.state.is_me(message.nick):
        session.reply = session.reply or session.routing.settle("RENAME", name)
    event(session, message, out)
    # "This fallback SHOULD NOT be used if the rename only changes the case of the channel name"
    if session.state.fold(name) == session.state.fold(new):
        return
    reason = message.params[2:3] if message.params[2:3] != ("",) else ()
    part = str(Message("PART", (name, *reason), session.state.mask))
    for client in session.clients.by_id.values():
        if CAP in client.dialect.caps:
            if session.markers.of(session.state.fold(new)) is not None:
                out.tell_lines(client.id, marks.lines(session, client, new))
        else:
            for line in (part, *arrival.entering(session, client, channel)):
                answers.tell(session, client.id, line, out)


def missed(session: Session, name: str, new: str, out: Effects) -> None:
    """It was renamed while we were not there."""
    folded_new = session.state.fold(new)
    is_elsewhere = session.state.channel(name) is None and session.state.isupport.is_channel(new)
    if is_elsewhere and _move(session, name, new, out):
        session.upkeep.places.join(session, [session.wanted[folded_new]], out)


def _move(session: Session, name: str, new: str, out: Effects) -> bool:
    folded, folded_new = session.state.fold(name), session.state.fold(new)
    session.targets.clear()
    # In its turn: what was said before goes along, and what is said from now on comes after it.
    out.keep.append(Renamed(session.network.id, folded, folded_new, new))
    if folded != folded_new:
        session.markers.rename(folded, folded_new)
        metadata.rename(session, folded, folded_new, new, out)
    known = session.wanted.pop(folded, None)
    if known is None:
        return False
    session.wanted[folded_new] = new, known[1]
    session.screen.rename(folded, folded_new, new)
    out.others.append(RenameChannel(known[0], new))
    return True
