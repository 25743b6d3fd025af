"""The registry's commands by their first words, for whoever cannot wait for its import.

Printed from the code by `python -m tests.house.documents`; a test compares.
"""

from __future__ import annotations

GROUPS: dict[str, tuple[str, ...]] = {
    "network": ("add", "set", "list", "quote", "remove", "sts"),
    "channel": ("add", "set", "list", "remove"),
    "client": ("set", "list"),
    "ignore": ("add", "list", "remove"),
    "certfp": ("generate", "fingerprint", "discard", "add", "list", "remove"),
    "sasl": ("status", "set-plain", "reset"),
    "user": ("add", "set", "passwd", "list", "remove", "run"),
    "staff": ("add", "set", "list", "remove", "certfp", "codes"),
    "roster": (),
    "agent": ("add", "list", "remove", "quorum"),
    "history": ("prune", "redate", "stats"),
    "cert": (),
    "ack": (),
    "status": (),
    "server": ("status", "notice", "debug", "reload"),
    "maintenance": ("now", "start", "end", "list"),
    "standdown": (),
    "hold": (),
}
