"""What a running bouncer offers to the control commands; everything else they do is in the store.

A command changes the store first and then asks for a refresh, so that it means the same whether a
bouncer is running or not: with none running there is nothing to refresh.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bouncer.control.actors import Actor

if TYPE_CHECKING:  # most commands of the command line need neither
    from bouncer.mesh.beacon import Beacon, VoterStatus
    from bouncer.tls.certificates import Standing


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """How one network of one user stands, as the running bouncer sees it."""

    name: str
    state: str  # "connected", "connecting", "waiting", "disabled", "stopped": one word, lower case
    nick: str = ""  # the nick the network knows us by; "" while not registered
    error: str = ""  # why it is not connected, in words for its owner; "" when nothing is wrong
    since_s: float = 0.0  # seconds in this state
    channels: int = 0  # channels joined now


class Live(Protocol):
    """The running bouncer. Everything is called in its own event loop."""

    @property
    def uptime_s(self) -> float:
        """Seconds since the bouncer began to serve."""

    @property
    def beacon(self) -> Beacon:
        """Our end of the mesh: maintenance windows, and orders to the agents."""

    async def beside(
        self, name: str, actor: Actor, work: Callable[[], Awaitable[list[str]]]
    ) -> list[str]:
        """What `work`, a command called `name` that may take minutes, answers; or that it goes on.

        Raises ControlError, also where it is at work already."""

    async def refresh(self, user_name: str) -> None:
        """Read the user, their networks and channels again and start, stop or reconnect what
        changed. Also right after the user was added or removed."""

    async def roster_changed(self) -> None:
        """Staff or voters changed in the store: sign and send the roster anew."""

    async def reload(self) -> list[str]:
        """Read configuration and certificates again, as HUP does. Drops no connection. The names of
        what was changed and waits for a restart.

        Raises ValueError with the user's message when they are unusable; the old ones stay.
        """

    async def quote(self, user_name: str, network: str, line: str) -> bool:
        """Send a line of IRC to a network as it is; False where it is not connected."""

    def policy_dropped(self, host: str) -> None:
        """The store no longer keeps that this host is to be gone to by TLS alone."""

    def debug(self, user_name: str | None) -> None:
        """Log the lines of this user's connections for a while, or of everybody's for ''; None
        ends it."""

    async def notice(self, text: str) -> None:
        """Say `text` as the service to every client of every user."""

    def network_status(self, user_name: str) -> list[NetworkStatus]:
        """The user's networks in the order of their names; empty for an unknown user."""

    def clients(self, user_name: str) -> list[str]:
        """The names of the clients attached now; '' is a client that gave none."""

    def shows(self, user_name: str, fingerprint: str) -> bool:
        """Whether a client of this user is attached that has shown this certificate."""

    def mesh_status(self) -> str:
        """The voters, heartbeat and roster as `!status` shows them, e.g.
        `agents fra=OK hel=OK(w); hb 0.4s; roster v118 3h`; "" when no voter is paired."""

    def voters(self) -> list[VoterStatus]:
        """Who watches this bouncer, by rank; empty when no voter is paired."""

    def acknowledge(self, who: str) -> str:
        """Somebody sees to what is wrong with the certificate: it is not said again before it
        gets worse. What that was; "" when there is nothing to acknowledge."""

    def certificate(self) -> Standing | None:
        """How the served certificate stands; None without a TLS listener."""

    @property
    def not_reloaded(self) -> str:
        """Why the last reload, by HUP or command, changed nothing; "" when it did."""
