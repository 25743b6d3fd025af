"""How an agent becomes known to a network's services: by SASL, else by telling NickServ.

Services may hang or be away just when we come. So they keep nobody out: after a while we go in
without them, and log in again and again until they know us, or say that the password is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import trio

from bouncer.irc.registration import UpstreamRegistration
from bouncer.irc.wire import Message
from fallback.config import NetworkConfig
from fallback.networks import ourselves as us
from fallback.networks.ourselves import Secrets

SASL_S = 12.0  # networks close a connection that has not registered after 30 s
AGAIN_S = 120.0
SILENT = "services do not answer"
# "Invalid password for", "Password incorrect.", "You may have entered an incorrect password."
_DENIED = re.compile(r"(invalid|incorrect|wrong) password|password incorrect", re.IGNORECASE)


class Login:
    """One connection's. `send` takes what goes out at once."""

    def __init__(
        self,
        config: NetworkConfig,
        secret: Secrets,
        registration: UpstreamRegistration,
        send: Callable[[list[Message]], None],
    ) -> None:
        self.identified = False
        self._config = config
        self._secret = secret
        self._registration = registration
        self._send = send
        self._known = trio.Event()
        self._tried_at = float("-inf")
        self._denied = False

    async def let_us_in(self, entered: trio.Event, sasl_s: float) -> None:
        """Until we have `entered`. A network whose services hang would close the connection before,
        time and again; so they have `sasl_s` seconds."""
        with trio.move_on_after(sasl_s):
            await entered.wait()
        if not entered.is_set():
            self._send(self._registration.give_up_login(SILENT))
            await entered.wait()

    async def be_known(self, wait_s: float) -> str:
        """Where SASL was not to be had, tell the services, and wait until they know us. Why they do
        not, '' else."""
        if self._registration.account:
            self.identified = True
        if self.identified or not (self._secret.password or self._secret.certificate):
            return ""
        self._tried_at = trio.current_time()
        self._send(us.identify(self._config, self._secret))
        with trio.move_on_after(wait_s):
            await self._known.wait()
        return "" if self.identified else "services do not recognise us"

    def again(self, now: float, again_s: float) -> None:
        """Looked at now and then: log in once more where nobody has answered. `now` in trio's
        time."""
        registration = self._registration
        done = self.identified or self._denied or registration.sasl_refused
        if done or now < self._tried_at + again_s:
            return
        self._tried_at = now
        if registration.logging_in:
            self._send(registration.give_up_login(SILENT))
        elif registration.can_retry_login:
            self._send(registration.retry_login())
        self._send(us.identify(self._config, self._secret))

    def recognised(self) -> None:
        """The network says that services know us."""
        self.identified = True
        self._known.set()

    def notice_seen(self, message: Message) -> None:
        """NickServ may say that the password is wrong: more tries would have us thrown out."""
        text = "".join(message.params[-1:])
        if message.nick.casefold() == "nickserv" and _DENIED.search(text):
            self._denied = True
