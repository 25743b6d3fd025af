"""What the registry's commands are about, by their first words. Imports nothing: whoever lists them
need not wait for the registry."""

from __future__ import annotations

ABOUT = {
    "user": "who may log in",
    "network": "connections to IRC networks",
    "channel": "channels to be in",
    "sasl": "logins at networks",
    "ignore": "people who are not heard",
    "client": "how each client is served",
    "certfp": "client certificates: here, and at networks",
    "staff": "the people of the roster",
    "roster": "who they are, and who is on call",
    "agent": "the voters that watch from outside",
    "history": "how much is kept, and letting go of it",
    "server": "the bouncer as a whole",
    "status": "how the site and its watchers stand",
    "cert": "the served certificate",
    "ack": "say that you see to it",
    "maintenance": "outages that are meant",
    "standdown": "close an incident at all agents",
    "hold": "keep it open",
}
