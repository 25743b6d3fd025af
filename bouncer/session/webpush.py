"""Calling clients that are away by Web Push: who has registered, and which messages are worth it.

Worth it are private messages, messages that name the user or come where they always want to be
called, and invitations; muted and blocked conversations never are. When the user has read what they
were called for, that is pushed too, so that a notification can go. Source: soju.im/webpush.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from bouncer.irc.read_marker import markread_line
from bouncer.irc.timestamps import format_time
from bouncer.irc.wire import Message, parse_tags
from bouncer.push.webpush import MAX_PAYLOAD, are_keys
from bouncer.session.clients import Client
from bouncer.session.dialect import Dialect
from bouncer.session.effects import Effects, Push
from bouncer.session.events import Found, SubscriptionGone
from bouncer.session.folding import Fold
from bouncer.session.lookups import Done, Subscribe, Unsubscribe
from bouncer.session.marks import FORMS
from storage.message import Row, msgid_of
from storage.records import Subscription

if TYPE_CHECKING:
    from bouncer.session.session import Session

CAP = "soju.im/webpush"
MAX_CALLED = 1_000  # conversations that somebody was called for; full: the oldest is forgotten
SILENT = ("soju.im/muted", "soju.im/blocked")  # the user's own marks


class _Listener(NamedTuple):
    """A subscription, and how it understands lines: "The messages follow the same capabilities
    […] as when the client registered"."""

    subscription: Subscription
    dialect: Dialect


class WebPush:
    """The subscriptions of one session. `vapid` is the bouncer's public key, '' where there is no
    Web Push."""

    def __init__(self, subscriptions: Iterable[Subscription], vapid: str) -> None:
        self.vapid = vapid
        self._listeners: dict[str, _Listener] = {}
        self._called: dict[str, int] = {}  # folded conversation -> time of its newest push
        for subscription in subscriptions:
            self._add(subscription)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens; chat asks for no more than this."""
        return bool(self._listeners)

    def _add(self, subscription: Subscription) -> None:
        dialect = Dialect(frozenset(subscription.caps))
        self._listeners[subscription.endpoint] = _Listener(subscription, dialect)

    def refold(self, refold: Fold) -> None:
        """The network folds names otherwise than before."""
        self._called = {refold(target): time_ms for target, time_ms in self._called.items()}

    def forget(self, subscription: Subscription) -> None:
        """It is no more; its endpoint may have been registered anew."""
        known = self._listeners.get(subscription.endpoint)
        if known is not None and known.subscription.id == subscription.id:
            del self._listeners[subscription.endpoint]

    def answered(self, event: Found) -> None:
        """The store has registered somebody, or taken them out."""
        match event.question, event.answer:
            case Subscribe(), Subscription() as kept:
                self._add(kept)
            case Unsubscribe(endpoint), Done():
                self._listeners.pop(endpoint, None)

    # --- what is worth a push ---

    def said(self, session: Session, row: Row, out: Effects) -> None:
        """Somebody else has said something."""
        private = not session.target(row.name).is_channel
        if row.command != "PRIVMSG" or not (private or session.screen.notifies(session, row)):
            return
        if not self._silent(session, row.target):
            self._called.pop(row.target, None)
            self._called[row.target] = row.time_ms
            if len(self._called) > MAX_CALLED:
                del self._called[next(iter(self._called))]
            time, msgid = format_time(row.time_ms), msgid_of(row)
            for subscription, dialect in self._listeners.values():
                line = dialect.chat(row, time, msgid)
                if len(line) > MAX_PAYLOAD // 4:  # a character has at most 4 octets
                    # "servers MAY drop some or all message tags […] MUST NOT drop the `msgid` tag"
                    line = dialect.chat(row._replace(tags=""), time, msgid)
                self._push(subscription, line, out)

    def invited(self, session: Session, message: Message, out: Effects) -> None:
        """Somebody invites us."""
        if not session.screen.ignores(session, message.source):
            for subscription, dialect in self._listeners.values():
                line = dialect.adapt(message, format_time(session.now_ms), to_me=True)
                self._push(subscription, line, out)

    def read(self, session: Session, target: str, name: str, time_ms: int, out: Effects) -> None:
        """The user has read a conversation (folded, called `name`) up to this time."""
        if time_ms < self._called.get(target, time_ms + 1):
            return  # nobody was called, or there is more to read
        del self._called[target]
        told = markread_line(name, time_ms, session.server_name)
        for subscription, dialect in self._listeners.values():
            if FORMS[told.command] in dialect.caps:
                self._push(subscription, str(told), out)

    def _silent(self, session: Session, target: str) -> bool:
        marks = session.marks.of(target)
        return any(marks.get(key) == "1" for key in SILENT)

    def _push(self, subscription: Subscription, line: str, out: Effects) -> None:
        if len(line.encode("utf-8", "replace")) <= MAX_PAYLOAD:
            out.others.append(Push(subscription, line))


def subscription_gone(session: Session, event: SubscriptionGone, _out: Effects) -> None:
    """A push service knows a subscription no more."""
    session.webpush.forget(event.subscription)


# --- the command ---


def command(session: Session, client: Client, message: Message, out: Effects) -> None:
    """`WEBPUSH REGISTER <endpoint> <keys>`, `WEBPUSH UNREGISTER <endpoint>`"""
    subcommand, endpoint, *rest = (*message.params, "", "")[: max(len(message.params), 2)]
    keys = parse_tags(rest[0]) if rest else {}
    fault = ""
    match subcommand.upper(), len(rest):
        case "REGISTER", 1:
            p256dh, auth = keys.get("p256dh", ""), keys.get("auth", "")
            if not is_endpoint(endpoint):
                fault = "The endpoint must be an https URL of a public host"
            elif not are_keys(p256dh, auth):
                fault = "The keys must be p256dh, a point of P-256, and auth, 16 octets"
            elif not session.network.id or not session.webpush.vapid:
                _fail(session, client, "INTERNAL_ERROR", subcommand, endpoint, NO_NETWORK, out)
                return
            else:
                wanted = Subscription(
                    session.network.id,
                    endpoint,
                    p256dh,
                    auth,
                    caps=tuple(sorted(client.dialect.caps)),
                )
                session.look_up(client, Subscribe(wanted), out)
        case "UNREGISTER", 0 if endpoint:
            session.look_up(client, Unsubscribe(endpoint), out)
        case _:
            fault = "Say REGISTER endpoint keys, or UNREGISTER endpoint"
    if fault:
        _fail(session, client, "INVALID_PARAMS", subcommand, endpoint, fault, out)


NO_NETWORK = "Log in as user/network: you are called for one network"


def is_endpoint(url: str) -> bool:
    """Whether it may be a push service: https, and a host that is not plainly a private one. What
    its name stands for is seen when there is something to push."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or not host or parts.username is not None:
        return False
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal"))


def answer(session: Session, event: Found) -> str:
    """What the client is told of what the store did."""
    endpoint, subcommand = "", "REGISTER"
    match event.question:
        case Subscribe(wanted):
            endpoint = wanted.endpoint
        case Unsubscribe(endpoint):
            subcommand = "UNREGISTER"
    match event.answer:
        case Subscription() | Done():
            return str(Message("WEBPUSH", (subcommand, endpoint), session.server_name))
    text = "It cannot be kept now, or you have too many; UNREGISTER one"
    return str(_failure(session, "INTERNAL_ERROR", subcommand, endpoint, text))


def _fail(
    session: Session,
    client: Client,
    code: str,
    subcommand: str,
    endpoint: str,
    text: str,
    out: Effects,
) -> None:
    out.tell(client.id, str(_failure(session, code, subcommand, endpoint, text)))


def _failure(session: Session, code: str, subcommand: str, endpoint: str, text: str) -> Message:
    """`FAIL WEBPUSH <code> <command> <endpoint> <message>`"""
    words = [word.replace(" ", "_").lstrip(":") or "*" for word in (subcommand, endpoint)]
    return Message("FAIL", ("WEBPUSH", code, *words, text), session.server_name)
