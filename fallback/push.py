"""The announcement to push topics of the operators' own, beside the line on the public networks.

A hook is an https URL that takes a POST: the line as the body, a title as a header, as ntfy and its
kin do. It never comes before the line nor in its place, and nothing waits for it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

import httpcore
import structlog
import trio

from bouncer.connections.supervise import backoff
from bouncer.push.outside import PostFault, post
from fallback.config import PushConfig

TRIES = 5  # within about a minute
WITHIN_S = 10.0  # for one try
WAITING = 8  # calls not begun yet; full: dropped, for the line itself stands
FINAL = range(400, 500)  # but 408 and 429: trying again is of no use
HTTPS_PORT = 443

log = structlog.get_logger("push")


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to push, and the token that allows it, '' for none."""

    url: str = field(repr=False)  # who knows the topic can read it
    token: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or HTTPS_PORT


@dataclass(frozen=True, slots=True)
class Call:
    """One announcement; `still` tells whether trying again is still wanted."""

    title: str
    text: str
    still: Callable[[], bool]


def read_hook(config: PushConfig) -> Hook:
    """The hook with its token. Raises OSError, UnicodeDecodeError."""
    token = config.token_file.read_text("ascii").strip() if config.token_file else ""
    return Hook(config.url, token)


def try_hooks(places: Sequence[PushConfig]) -> list[Hook | OSError | UnicodeDecodeError]:
    """Each of them, or why it cannot be read."""
    hooks: list[Hook | OSError | UnicodeDecodeError] = []
    for place in places:
        try:
            hooks.append(read_hook(place))
        except (OSError, UnicodeDecodeError) as error:
            hooks.append(error)
    return hooks


class Pusher:
    """`put` never waits; `run` is the task that posts."""

    def __init__(
        self,
        hooks: list[Hook],
        context: ssl.SSLContext | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self.hooks = hooks
        self._context = context or ssl.create_default_context()
        self._network = network or httpcore.TrioBackend()
        self._send, self._receive = trio.open_memory_channel[Call](WAITING)

    def put(self, call: Call) -> None:
        try:
            self._send.send_nowait(call)
        except trio.WouldBlock:
            log.error("not pushed", reason="too many wait")

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            async for call in self._receive:
                for hook in self.hooks:
                    nursery.start_soon(self._push, hook, call)

    async def _push(self, hook: Hook, call: Call) -> None:
        for delay_s in (*islice(backoff(), TRIES - 1), None):
            fault = await self._post(hook, call)
            if not fault:
                log.info("pushed", host=hook.host)
                return
            log.warning("not pushed", host=hook.host, reason=fault.reason)
            if delay_s is None or fault.final:
                return
            await trio.sleep(delay_s)
            if not call.still():
                return

    async def _post(self, hook: Hook, call: Call) -> _Fault | None:
        headers = {"Title": call.title, "Content-Type": "text/plain; charset=utf-8"}
        if hook.token:
            headers["Authorization"] = f"Bearer {hook.token}"
        try:
            status = await post(
                hook.url,
                headers,
                call.text.encode(),
                network=self._network,
                context=self._context,
                within_s=WITHIN_S,
            )
        except PostFault as fault:
            return _Fault(str(fault))
        if status < 300:
            return None
        final = status < 400 or (status in FINAL and status not in (408, 429))
        return _Fault(f"it answered {status}", final)


@dataclass(frozen=True, slots=True)
class _Fault:
    reason: str
    final: bool = False


async def reach(hook: Hook, context: ssl.SSLContext | None = None) -> None:
    """Connect and shake hands, and send nothing. Raises OSError, trio.BrokenResourceError."""
    stream = await trio.open_ssl_over_tcp_stream(
        hook.host, hook.port, https_compatible=True, ssl_context=context
    )
    try:
        await stream.do_handshake()
    finally:
        await trio.aclose_forcefully(stream)
