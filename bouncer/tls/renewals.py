"""The served certificate: renewed ones are served by themselves, ops hear of one nobody renews."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
import trio

from bouncer.tls import certificates
from bouncer.tls.certificates import CertificateFault, Standing
from bouncer.tls.contexts import ServerTls

WATCH_S = 60.0

log = structlog.get_logger("bouncer")


class Renewals:
    """`tls` is None where nothing is served by TLS; `tell_ops` says a line to the operators."""

    def __init__(self, tls: ServerTls | None, tell_ops: Callable[[str], None]) -> None:
        self.tls = tls
        self._tell_ops = tell_ops
        self._told: certificates.Told | None = None
        self._fault = ("", 0)  # why the renewed one is not served, for how many looks

    def standing(self) -> Standing | None:
        """What is served and what is on disk; None where nothing is served by TLS."""
        if self.tls is None:
            return None
        served, fault = self.tls.served, self.tls.fault()
        try:
            return Standing(served, self.tls.on_disk(), fault)
        except CertificateFault:
            return Standing(served, served, fault)

    def acknowledge(self, who: str) -> str:
        """`who` sees to it; what it is, or '' when there is nothing to acknowledge."""
        standing, now = self.standing(), time.time()
        said = certificates.sentence(standing, now) if standing is not None else ""
        if standing is not None and said:  # whether or not ops have heard it yet
            served = standing.served
            level = certificates.urgency(served, now)
            self._told = certificates.Told(served.fingerprint, level, now, acked_by=who)
        return said

    async def watch(self) -> None:
        while self.tls is not None:
            try:
                if self.tls.on_disk() != self.tls.served:  # or one of its issuers is another
                    self.tls.reload()
                    log.info("certificate reloaded", fingerprint=self.tls.served.fingerprint)
            except CertificateFault as fault:
                self._complain(str(fault))
            else:
                self._fault = ("", 0)
            served, now = self.tls.served, time.time()
            if certificates.due(served, now, self._told) and (standing := self.standing()):
                level = certificates.urgency(served, now)
                self._told = certificates.Told(served.fingerprint, level, now)
                self._tell_ops(certificates.sentence(standing, now))
            await trio.sleep(WATCH_S)

    def _complain(self, fault: str) -> None:
        """Said once, and to ops where it stands: a renewal writes one file after the other."""
        known, looks = self._fault
        looks = looks + 1 if fault == known else 1
        self._fault = (fault, looks)
        if looks == 1:
            log.warning("certificate not reloaded", reason=fault)
        elif looks == 2:
            self._tell_ops(f"certificate on disk cannot be served, the old one goes on: {fault}")
