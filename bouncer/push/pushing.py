"""Notifications on their way to push services. Nobody waits for them, and none waits for another's.

Each subscription has a line of its own: in order, bounded, tried a few times. What is late or finds
no room is let go of, for the message itself waits in the history. Source: RFC 8030.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
import trio

from bouncer.connections.supervise import backoff
from bouncer.hub import keeping
from bouncer.push.webpush import VapidKey, encrypt
from bouncer.session.events import Event, SubscriptionGone
from storage.records import Subscription
from storage.store import Store

if TYPE_CHECKING:
    import httpcore

WAITING = 32  # lines for one subscription; full: the oldest goes
TRIES = 4
WITHIN_S = 15.0  # for one try, from the lookup to the status
TTL_S = 86_400  # how long a push service keeps it for a device that is off: section 5.2
GONE = frozenset({404, 410})  # section 7.3: "The push subscription has expired"
AGAIN = frozenset({429, 500, 502, 503, 504})

log = structlog.get_logger("push")


def way_out() -> httpcore.AsyncNetworkBackend:
    """To push services anywhere outside, and to nothing else."""
    from bouncer.push.outside import Outside

    return Outside()


class Sender:
    """How all of them are sent: our key, whom push services may write to, and the way out.

    `network` makes the way, and `trust` the TLS context, in a thread at the first push: to load an
    HTTP client and to read the system's authorities takes long, and no start should wait for it.
    """

    def __init__(
        self,
        key: VapidKey,
        contact: str,
        network: Callable[[], httpcore.AsyncNetworkBackend],
        trust: Callable[[], ssl.SSLContext],
    ) -> None:
        self.public_key = key.public
        self._key = key
        self._contact = contact
        self._made: tuple[httpcore.AsyncNetworkBackend, ssl.SSLContext] | None = None
        self._make = lambda: (network(), trust())

    async def send(self, subscription: Subscription, line: str) -> bool:
        """Deliver the line, trying some times; False when the subscription is no more."""
        if self._made is None:
            self._made = await trio.to_thread.run_sync(self._make)
        from bouncer.push.outside import NotPublic, PostFault

        host = urlsplit(subscription.endpoint).hostname
        payload = line.encode("utf-8", "replace")
        for delay_s in (*islice(backoff(), TRIES - 1), None):
            reason = ""
            try:
                status = await self._post(subscription, payload, *self._made)
            except NotPublic as fault:
                log.warning("not pushed", reason=str(fault))
                return True
            except PostFault as fault:
                reason = str(fault)
            else:
                if status in GONE:
                    return False
                if status < 300:
                    return True
                reason = f"{host} answered {status}"
                if status not in AGAIN:
                    break
            if delay_s is not None:
                await trio.sleep(delay_s)
        log.warning("not pushed", reason=reason)
        return True

    async def _post(
        self,
        subscription: Subscription,
        payload: bytes,
        network: httpcore.AsyncNetworkBackend,
        context: ssl.SSLContext,
    ) -> int:
        from bouncer.push.outside import post

        endpoint = subscription.endpoint
        headers = {
            "Authorization": self._key.authorization(endpoint, self._contact, time.time()),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(TTL_S),
            "Urgency": "high",  # section 5.3: a person is called
        }
        return await post(
            endpoint,
            headers,
            encrypt(payload, subscription.p256dh, subscription.auth),
            network=network,
            context=context,
            within_s=WITHIN_S,
        )


class Pushes:
    """What is on its way to one user's subscriptions, whose number the store bounds."""

    def __init__(
        self, sender: Sender, store: Store, post_to: Callable[[int, Event], Awaitable[None]]
    ) -> None:
        self._sender = sender
        self._store = store
        self._post_to = post_to  # hands the session of a network an event
        self._waiting: dict[int, deque[str]] = {}  # a subscription's id -> its lines

    def put(self, nursery: trio.Nursery, subscription: Subscription, line: str) -> None:
        """Queue a line. Never waits."""
        waiting = self._waiting.get(subscription.id)
        if waiting is None:
            waiting = self._waiting[subscription.id] = deque(maxlen=WAITING)
            nursery.start_soon(self._run, subscription, waiting)
        waiting.append(line)

    async def _run(self, subscription: Subscription, waiting: deque[str]) -> None:
        """Send what waits for one subscription, then end."""
        try:
            while waiting:
                if not await self._sender.send(subscription, waiting.popleft()):
                    log.info("subscription expired", host=urlsplit(subscription.endpoint).hostname)
                    await keeping.expire(self._store, subscription)
                    gone = SubscriptionGone(subscription)
                    await self._post_to(subscription.network_id, gone)
                    return
        finally:
            del self._waiting[subscription.id]
