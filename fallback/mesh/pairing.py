"""Whether the bouncer counts us among its voters still. Pure.

A roster that does not name us says so, or, where none reaches us, another voter that shows what the
bouncer signed about us: it refuses whatever else we say.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from bouncer.mesh.keys import PublicKey
from bouncer.mesh.roster import Dismissal, Roster
from fallback.findings import Finding, fail

PAIR = "so it never votes or announces: pair it by `bouncer agent add`, or stop it"

log = structlog.get_logger("fallback")


class Pairing:
    """One voter's, by its name and key."""

    def __init__(self, name: str, public: PublicKey) -> None:
        self._name = name
        self._public = public
        self._removed_in = 0  # the highest version that is known to name us no more

    def told(self, said: Dismissal) -> None:
        """The bouncer has signed this. Others' are none of our business."""
        if said.key == str(self._public) and said.version > self._removed_in:
            log.warning("this voter was removed from the roster", version=said.version)
            self._removed_in = said.version

    def is_over(self, roster: Roster | None) -> bool:
        """Whether we may neither vote nor announce, with this as the newest roster we hold."""
        if roster is None:
            return False
        return not roster.names(self._name, self._public) or self._removed_in > roster.version

    def shown(self, roster: Roster) -> Iterator[Finding]:
        """That a newer roster is out, which we do not hold, and it does not name us."""
        if self._removed_in > roster.version:
            yield fail(f"{self._name} was removed from the roster", PAIR)
