"""One voter per data directory, and what keeps a voter from starting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import structlog

from bouncer.alone import Occupied, Tenant, alone, lockless
from fallback.config import Config
from fallback.findings import Finding, warn
from storage.errors import Unusable

VOTER = Tenant(
    "another `fallback run` is",
    "nothing keeps a second `fallback run` out, and of two with one key neither is heard for long",
)

log = structlog.get_logger("fallback")


class Fault(Exception):
    """The voter cannot start. Its text is the operator's message; exit code 2."""


class Hindrance(Fault):
    """It cannot start now, and may soon, without anybody's help: exit code 1, so that the unit
    tries again."""


def take_lock(config: Config) -> ExitStack:
    """Be the only one in the data directory until it is closed. Raises Fault."""
    held = ExitStack()
    try:
        unlocked = held.enter_context(alone(config.data_dir, tenant=VOTER))
    except Occupied as occupied:
        raise Hindrance(str(occupied)) from None
    except Unusable as fault:
        raise Fault(str(fault)) from None
    except OSError as error:
        raise Fault(f"{config.data_dir}: {error.strerror}") from None
    if unlocked:
        log.warning("not locked", reason=unlocked)
    return held


def about_lock(config: Config) -> Iterator[Finding]:
    """Whether a second one would be kept out."""
    if said := lockless(config.data_dir, tenant=VOTER):
        yield warn("the data directory has no lock", said)
