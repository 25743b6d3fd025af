"""One case for every control command: a right use, a wrong one, and what each is told."""

from tests.bouncer.control.cases import connections, people, site
from tests.bouncer.control.cases.case import (
    AGENT,
    ALICE,
    CERT,
    CHANNEL,
    KEY,
    LIBERA,
    SSH,
    STAFF,
    Case,
)

CASES: dict[str, Case] = {**people.CASES, **connections.CASES, **site.CASES}

__all__ = ["AGENT", "ALICE", "CASES", "CERT", "CHANNEL", "KEY", "LIBERA", "SSH", "STAFF", "Case"]
