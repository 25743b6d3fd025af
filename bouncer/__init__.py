"""The bouncer: holds each person's connections to their IRC networks and serves their clients."""
