"""The journal for after an incident, as JSON lines: what was said, who ordered what, how proved.

Read from the voter's own file, whether it runs or not. It holds no code; of an ssh proof it holds
what was signed and the signature, so that it can be checked again with the roster's keys.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from bouncer.mesh.heartbeat import DatagramFault, write_body
from fallback.mesh.relay import read_kept
from storage.incidents import Incidents


def journal_lines(path: Path, incident: str | None = None) -> Iterator[str]:
    """One object per line, first what was said, then the orders. Raises IncidentsError."""
    store = Incidents(path)
    try:
        for line in store.lines(incident):
            yield json.dumps(
                {
                    "at_ms": line.at_ms,
                    "incident": line.incident,
                    "network": line.network,
                    "target": line.target,
                    "sender": line.sender,
                    "verified": line.verified,
                    "text": line.text,
                },
                ensure_ascii=False,
            )
        for kept in store.latest_orders():
            if incident is not None and kept.incident != incident:
                continue
            try:
                given = json.loads(write_body(read_kept(kept)))
            except DatagramFault:
                given = {}  # written by another release; the signed octets say all of it
            yield json.dumps(
                {
                    "at_ms": kept.at_ms,
                    "incident": kept.incident,
                    **given,
                    "checked": kept.checked,
                    "statement": base64.b64encode(kept.statement).decode(),
                },
                ensure_ascii=False,
            )
    finally:
        store.close()
