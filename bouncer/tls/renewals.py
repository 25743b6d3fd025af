"""The served certificate: renewed ones are served by themselves, ops hear of one nobody renews."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import structlog
import trio

from bouncer.tls import certificates
from bouncer.tls.certificates import Certificate, CertificateFault
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

    def pair(self) -> tuple[Certificate, Certificate] | None:
        """The certificate that is served, and the one on disk."""
        if self.tls is None:
            return None
        try:
            return self.tls.served, self.tls.on_disk()
        except CertificateFault:
            return self.tls.served, self.tls.served

    def acknowledge(self, who: str) -> str:
        """`who` sees to it; what it is, or '' when there is nothing to acknowledge."""
        pair = self.pair()
        if pair is None or self._told is None or self._told.fingerprint != pair[0].fingerprint:
            return ""
        self._told = replace(self._told, acked_by=who)
        return certificates.sentence(*pair, time.time())

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
            served, on_disk = self.pair() or (self.tls.served, self.tls.served)
            now = time.time()
            if certificates.due(served, now, self._told):
                level = certificates.urgency(served, now)
                self._told = certificates.Told(served.fingerprint, level, now)
                self._tell_ops(certificates.sentence(served, on_disk, now))
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
