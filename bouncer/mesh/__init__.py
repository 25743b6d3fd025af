"""The bouncer's end of the mesh: voters, heartbeats, the roster and what proves its people."""
