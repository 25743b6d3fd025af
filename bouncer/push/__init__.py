"""Calling clients that are away, over HTTPS to places that somebody else named."""
