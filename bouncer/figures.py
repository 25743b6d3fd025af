"""How the bouncer stands, for Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from bouncer.metrics import family, gauges

if TYPE_CHECKING:
    from bouncer.app import Bouncer


def figures(bouncer: Bouncer) -> str:
    hubs = bouncer.hubs.values()
    states = Counter(each.state for hub in hubs for each in hub.networks.status())
    values = {
        "muster_uptime_seconds": bouncer.uptime_s,
        "muster_users": len(hubs),
        "muster_clients": sum(len(hub.clients) for hub in hubs),
        "muster_store_trouble": bouncer.store.trouble is not None,
        "muster_last_message_id": bouncer.store.last_id,
    }
    if bouncer.tls is not None:
        values["muster_certificate_left_seconds"] = bouncer.tls.served.left_s(time.time())
    acked = {voter.name: voter.acked_s for voter in bouncer.voters() if voter.acked_s is not None}
    return (
        gauges(values)
        + family("muster_networks", "gauge", "state", states)
        + family("muster_voter_acked_seconds_ago", "gauge", "voter", acked)
    )
