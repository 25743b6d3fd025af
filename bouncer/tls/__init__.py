"""TLS: what is served and renewed, what is trusted, and the stream itself."""
